// SPDX-License-Identifier: Apache-2.0
// Listening sockets that systemd made: sd_listen_fds(3).
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <string>

namespace crosvisor::io {

/// Each is -1 where it was not passed; non-blocking and close-on-exec.
struct inherited_sockets {
  unique_fd stream; ///< AF_UNIX, SOCK_STREAM.
  unique_fd packet; ///< AF_UNIX, SOCK_SEQPACKET.
  unique_fd tcp;    ///< AF_INET or AF_INET6, SOCK_STREAM.
  /// The path of `stream`; empty where it has none.
  std::string stream_path;
};

/// Takes over what was passed to this process, once: the variables are removed from the
/// environment, so call it before there are threads. A socket is known by its family and type, not
/// by its name in FileDescriptorName=. What is no such listening socket, or there twice, is refused
/// by its number, and all are closed.
result<inherited_sockets> take_inherited_sockets();

} // namespace crosvisor::io
