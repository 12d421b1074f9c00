// SPDX-License-Identifier: Apache-2.0
// Plays crosvisor-vsock with a guest that opens every host port as soon as it is served, but for
// that of crash files, since it has not crashed: on the status port it says that its payload
// started and is ready, on others which port it is, and then
// says nothing and stays. Guest ports greet whoever connects. Ends with its VMM or its service.
#include "crosvisor/io/vsock/service_protocol.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using namespace crosvisor::io::vsock;

bool send_with(int socket, channel_message message, int carried) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{&message, sizeof message};
  msghdr packet{};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  packet.msg_control = control;
  packet.msg_controllen = sizeof control;
  auto* header = CMSG_FIRSTHDR(&packet);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &carried, sizeof carried);
  return ::sendmsg(socket, &packet, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof message);
}

/// A connection of the guest's, which has said this; the guest's end stays open.
bool open_connection(int service, channel_message message, const std::string& words) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return false;
  auto said = ::send(ends[1], words.data(), words.size(), MSG_NOSIGNAL);
  auto sent = send_with(service, message, ends[0]);
  ::close(ends[0]);
  return sent && said == static_cast<ssize_t>(words.size());
}

bool answer(int service, channel_message asked) {
  constexpr std::uint32_t status_port = 5000, crash_port = 2000;
  auto number = std::to_string(asked.port);
  switch (asked.kind) {
    case message_kind::listen:
      if (asked.port == crash_port)
        return true;
      asked.kind = message_kind::opened;
      asked.peer_port = 1024;
      return open_connection(service, asked,
                             asked.port == status_port
                               ? "{\"status\": \"started\"}\n{\"status\": \"ready\"}\n"
                               : "port " + number);
    case message_kind::connect:
      asked.kind = message_kind::connected;
      return open_connection(service, asked, "guest port " + number);
    default: return true;
  }
}

} // namespace

int main(int argc, char** argv) {
  int vmm = -1;
  int service = -1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--vmm-fd") == 0)
      vmm = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--service-fd") == 0)
      service = std::atoi(argv[i + 1]);
  }
  pollfd waits[] = {{service, POLLIN, 0}, {vmm, POLLIN, 0}};
  while (::poll(waits, 2, -1) > 0 && waits[1].revents == 0) {
    channel_message asked;
    if (::recv(service, &asked, sizeof asked, 0) != static_cast<ssize_t>(sizeof asked)
        || !answer(service, asked))
      break;
  }
}
