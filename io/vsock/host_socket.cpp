// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/host_socket.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <climits>

namespace crosvisor::io::vsock {

namespace {

// Two of the guest's windows; the kernel takes as much as net.core.wmem_max allows.
constexpr int send_buffer_bytes = 512 * 1024;

bool not_now() noexcept {
  return errno == EAGAIN || errno == EINTR;
}

} // namespace

result<socket_pair> make_socket_pair() {
  std::array<int, 2> fds;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) != 0)
    return last_failure("socketpair");
  for (auto fd : fds)
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof(send_buffer_bytes));
  return socket_pair{unique_fd{fds[0]}, unique_fd{fds[1]}};
}

transfer send_pieces(int socket, std::span<const iovec> pieces) noexcept {
  transfer done;
  while (!pieces.empty()) {
    auto now = pieces.first(std::min<std::size_t>(pieces.size(), IOV_MAX));
    std::size_t offered = 0;
    for (auto& piece : now)
      offered += piece.iov_len;
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(now.data());
    message.msg_iovlen = now.size();
    auto sent = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      done.failed = !not_now();
      return done;
    }
    done.bytes += static_cast<std::size_t>(sent);
    if (static_cast<std::size_t>(sent) < offered)
      return done;
    pieces = pieces.subspan(now.size());
  }
  return done;
}

transfer receive_pieces(int socket, std::span<iovec> pieces) noexcept {
  transfer done;
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = std::min<std::size_t>(pieces.size(), IOV_MAX);
  auto got = ::recvmsg(socket, &message, MSG_DONTWAIT);
  if (got > 0)
    done.bytes = static_cast<std::size_t>(got);
  else if (got == 0)
    done.ended = true;
  else
    done.failed = !not_now();
  return done;
}

void close_gently(unique_fd socket) noexcept {
  if (!socket)
    return;
  // After this the other end adds nothing, so what is to be drained is bounded by its send buffer.
  ::shutdown(socket.get(), SHUT_RDWR);
  std::array<std::byte, 16384> dropped;
  while (::recv(socket.get(), dropped.data(), dropped.size(), MSG_DONTWAIT) > 0) {
  }
}

} // namespace crosvisor::io::vsock
