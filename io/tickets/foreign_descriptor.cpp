// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/foreign_descriptor.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstddef>

namespace crosvisor::io {

namespace {

// One of SO_DOMAIN, SO_TYPE, SO_ACCEPTCONN; -1 when there is none.
int socket_option(int fd, int option) {
  int value = -1;
  socklen_t length = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

// Whoever listens has a name, and so have the connections that he accepts.
bool has_unnamed_peer(int fd) {
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0
         && length <= offsetof(sockaddr, sa_data);
}

std::optional<std::string> socket_problem(int fd) {
  auto domain = socket_option(fd, SO_DOMAIN), type = socket_option(fd, SO_TYPE);
  auto streams = type == SOCK_STREAM || (domain == AF_UNIX && type == SOCK_SEQPACKET);
  if (socket_option(fd, SO_ACCEPTCONN) != 0)
    return "is a listening socket";
  if (domain == AF_UNIX && streams)
    return has_unnamed_peer(fd)
             ? std::nullopt
             : std::optional<std::string>{
               "is a socket that is not connected to an unnamed one; pass a pipe "
               "or one of a socketpair(2)"};
  if (streams && (domain == AF_INET || domain == AF_INET6 || domain == AF_VSOCK))
    return std::nullopt;
  return "is a socket of a kind that is not taken; pass a pipe";
}

} // namespace

std::optional<std::string> descriptor_problem(int fd) {
  auto flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_PATH) != 0)
    return "only names a file (O_PATH), and is not open";
  struct statx is;
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &is) != 0)
    return "can't be looked at";
  switch (is.stx_mode & S_IFMT) {
    case S_IFREG:
    case S_IFBLK:
    case S_IFCHR:
    case S_IFDIR:
    case S_IFIFO: return std::nullopt;
    case S_IFSOCK: return socket_problem(fd);
    default: return "is neither a file, a device, a pipe nor a socket";
  }
}

} // namespace crosvisor::io
