// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/systemd/inherited_sockets.hpp"

#include <systemd/sd-daemon.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

namespace crosvisor::io {

namespace {

/// Where a socket belongs; null where it is none of ours.
unique_fd* place_of(int fd, inherited_sockets& sockets) {
  if (::sd_is_socket_unix(fd, SOCK_STREAM, 1, nullptr, 0) > 0)
    return &sockets.stream;
  if (::sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, nullptr, 0) > 0)
    return &sockets.packet;
  if (::sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) > 0)
    return &sockets.tcp;
  return nullptr;
}

/// Empty for a socket without a path, one in the abstract namespace included.
std::string path_of(int socket) {
  sockaddr_un address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    return {};
  constexpr auto header = offsetof(sockaddr_un, sun_path);
  auto room = std::min<std::size_t>(length, sizeof address) - std::min<std::size_t>(length, header);
  return {address.sun_path, ::strnlen(address.sun_path, room)};
}

failure refusal(int fd, const char* why) {
  return {0, "socket activation: descriptor " + std::to_string(fd) + ' ' + why};
}

result<void> place(unique_fd& passed, inherited_sockets& sockets) {
  auto fd = passed.get();
  auto* where = place_of(fd, sockets);
  if (where == nullptr)
    return refusal(fd, "is no listening socket of a kind that is served: AF_UNIX SOCK_STREAM, "
                       "AF_UNIX SOCK_SEQPACKET, or TCP");
  if (*where)
    return refusal(fd, "is a second socket of its kind; one of each is served");
  auto flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
    return last_failure("socket activation: descriptor " + std::to_string(fd));
  *where = std::move(passed);
  return {};
}

} // namespace

result<inherited_sockets> take_inherited_sockets() {
  auto count = ::sd_listen_fds(1);
  if (count < 0)
    return failure{-count, std::string{"socket activation: "} + std::strerror(-count)};
  std::vector<unique_fd> passed;
  for (int i = 0; i < count; ++i)
    passed.emplace_back(SD_LISTEN_FDS_START + i);
  inherited_sockets sockets;
  for (auto& one : passed)
    if (auto placed = place(one, sockets); !placed)
      return placed.why();
  if (sockets.stream)
    sockets.stream_path = path_of(sockets.stream.get());
  return sockets;
}

} // namespace crosvisor::io
