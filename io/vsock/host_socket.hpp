// SPDX-License-Identifier: Apache-2.0
// The host's end of a connection: one of a pair of AF_UNIX stream sockets.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace crosvisor::io::vsock {

/// Both ends: non-blocking, close-on-exec, with large send buffers.
struct socket_pair {
  unique_fd ours;
  unique_fd theirs;
};

/// Fails with the errno of socketpair(2), EMFILE among them.
result<socket_pair> make_socket_pair();

/// How a transfer went: `bytes` of it, then `failed` if the socket is not just full or empty.
struct transfer {
  std::size_t bytes = 0;
  bool failed = false;
  bool ended = false; ///< Of a receive: the other end sends no more.
};

/// Sends what it takes of the pieces, without blocking or SIGPIPE.
transfer send_pieces(int socket, std::span<const iovec> pieces) noexcept;

/// One receive into the pieces, of which there are at most IOV_MAX, without blocking.
transfer receive_pieces(int socket, std::span<iovec> pieces) noexcept;

/// Closes so that the other end reads all that was sent and then an end of file. A plain close with
/// something left unread would be ECONNRESET there.
void close_gently(unique_fd socket) noexcept;

} // namespace crosvisor::io::vsock
