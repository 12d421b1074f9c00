// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/descriptor_door.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace crosvisor::io {

namespace {

// NGROUPS_MAX of group ids, and more than any label has.
constexpr socklen_t max_option_bytes = 65'536 * sizeof(gid_t);

// Reads a socket option of any length; false with errno.
template <class Container>
bool read_option(int socket, int option, Container& into) {
  constexpr socklen_t unit = sizeof(typename Container::value_type);
  for (socklen_t length = 64 * unit; length <= max_option_bytes;) {
    into.resize(length / unit);
    auto room = length;
    if (::getsockopt(socket, SOL_SOCKET, option, into.data(), &length) == 0) {
      into.resize(length / unit);
      return true;
    }
    if (errno != ERANGE) // Then `length` is what it needs.
      return false;
    if (length <= room)
      length = 2 * room;
  }
  return errno = ERANGE, false;
}

} // namespace

result<caller> peer_of(int socket) {
  caller peer;
  peer.kind = caller_kind::socket;
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    return last_failure("SO_PEERCRED");
  peer.uid = credentials.uid;
  peer.gid = credentials.gid;
  peer.pid = credentials.pid;
  if (!read_option(socket, SO_PEERGROUPS, peer.groups))
    return last_failure("SO_PEERGROUPS");
  // ENOPROTOOPT: the host has no security module that labels sockets.
  if (!read_option(socket, SO_PEERSEC, peer.label)) {
    if (errno != ENOPROTOOPT)
      return last_failure("SO_PEERSEC");
    peer.label.clear();
  }
  while (!peer.label.empty() && peer.label.back() == '\0')
    peer.label.pop_back();
  return peer;
}

} // namespace crosvisor::io
