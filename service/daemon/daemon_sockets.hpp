// SPDX-License-Identifier: Apache-2.0
// The sockets that a daemon listens on, its own or those that systemd passed to it.
#pragma once

#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/io/path_lock.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/systemd/inherited_sockets.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/service/daemon/daemon_config.hpp"

#include <optional>
#include <string>

namespace crosvisor {

/// The listening sockets, to be taken; the files go with this.
struct daemon_sockets {
  /// Held for as long as the files are there; none for a socket that has no path.
  std::optional<io::path_lock> lock;
  /// What this daemon made itself, and removes.
  std::optional<io::unix_listener> client_file;
  std::optional<io::unix_listener> descriptor_file;

  io::unique_fd clients;     ///< AF_UNIX, SOCK_STREAM.
  io::unique_fd descriptors; ///< AF_UNIX, SOCK_SEQPACKET.
  io::unique_fd tls;         ///< TCP; -1: other hosts are not served.
  /// Where Prometheus asks; -1: it is not served.
  io::unique_fd metrics;
  std::optional<io::unix_listener> metrics_file;
  std::string path; ///< Of `clients`.

  /// Nobody finds the way in any more.
  void remove_files() noexcept;
};

/// Opens what was not passed. Where another daemon serves the same path, the failure says which.
/// For the time before there are threads.
io::result<daemon_sockets> open_daemon_sockets(const daemon_config& config,
                                               io::inherited_sockets inherited);

} // namespace crosvisor
