// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/descriptor_packet.hpp"

#include "crosvisor/io/received_descriptors.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace crosvisor::io {

result<descriptor_packet> receive_packet(int socket, std::size_t most_bytes) {
  descriptor_packet packet;
  packet.text.resize(most_bytes);
  iovec text{packet.text.data(), packet.text.size()};
  // Room for one more than allowed tells too many from those that are lost for another reason.
  alignas(cmsghdr) char control[CMSG_SPACE((max_packet_descriptors + 1) * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &text;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t got = -1;
  do
    got = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    return last_failure("descriptor socket");
  take_descriptors(header, packet.fds);
  packet.text.resize(static_cast<std::size_t>(got));
  packet.text_cut = (header.msg_flags & MSG_TRUNC) != 0;
  packet.fds_lost = (header.msg_flags & MSG_CTRUNC) != 0;
  return packet;
}

result<void> send_packet(int socket, std::string_view text, const int* fds, std::size_t count) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(max_packet_descriptors * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (count > 0) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(count * sizeof(int));
    auto* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
  }
  ssize_t sent = -1;
  do
    sent = ::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? result<void>{last_failure("descriptor socket")} : result<void>{};
}

} // namespace crosvisor::io
