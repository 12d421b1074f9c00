// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/output_sockets.hpp"

#include <sys/socket.h>

namespace crosvisor::io {

namespace {

constexpr int socket_bytes = 256 << 10;

} // namespace

result<output_sockets> make_output_sockets() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return last_failure("payload output");
  output_sockets made{unique_fd{ends[0]}, unique_fd{ends[1]}};
  ::shutdown(made.reader.get(), SHUT_WR);
  ::setsockopt(made.writer.get(), SOL_SOCKET, SO_SNDBUF, &socket_bytes, sizeof(socket_bytes));
  return made;
}

} // namespace crosvisor::io
