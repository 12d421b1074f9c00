// SPDX-License-Identifier: Apache-2.0
// Plays crosvisor-vsock with a guest that is up at once: as soon as it is told that host port 3000
// is served, the guest opens it 40 times, and writes 0, 1, … to its connections. Its port 7 answers
// `seven`; it has no other. Ends with the VMM's connection.
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/io/vsock/service_protocol.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

using namespace crosvisor::io;
using namespace crosvisor::io::vsock;

namespace {

constexpr int guest_connections = 40;

void send(int service, const channel_message& message, int fd) {
  iovec part{const_cast<channel_message*>(&message), sizeof(message)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (fd >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    auto* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &fd, sizeof(int));
  }
  if (::sendmsg(service, &header, MSG_NOSIGNAL) < 0)
    std::exit(1);
}

/// A connection on which the guest has said something, and all that it had to say.
void send_said(int service, channel_message message, const std::string& text) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
    std::exit(1);
  unique_fd host{ends[0]}, guest{ends[1]};
  if (::send(guest.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0)
    std::exit(1);
  send(service, message, host.get());
}

void serve(int service, const channel_message& asked) {
  channel_message answer;
  answer.id = asked.id;
  answer.port = asked.port;
  if (asked.kind == message_kind::listen && asked.port == 3000) {
    answer.kind = message_kind::opened;
    for (int i = 0; i < guest_connections; ++i)
      send_said(service, answer, std::to_string(i));
  } else if (asked.kind == message_kind::connect && asked.port == 7) {
    answer.kind = message_kind::connected;
    send_said(service, answer, "seven");
  } else if (asked.kind == message_kind::connect) {
    answer.kind = message_kind::refused;
    answer.error = ECONNREFUSED;
    send(service, answer, -1);
  }
}

} // namespace

int main(int argc, char** argv) {
  int vmm = -1, service = -1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (argv[i] == std::string{"--vmm-fd"})
      vmm = std::atoi(argv[i + 1]);
    if (argv[i] == std::string{"--service-fd"})
      service = std::atoi(argv[i + 1]);
  }
  pollfd ready[2] = {{vmm, POLLIN, 0}, {service, POLLIN, 0}};
  while (::poll(ready, 2, -1) > 0) {
    char ignored[4096];
    if (ready[0].revents != 0 && ::read(vmm, ignored, sizeof(ignored)) <= 0)
      return 0;
    channel_message asked;
    if (ready[1].revents == 0)
      continue;
    if (::recv(service, &asked, sizeof(asked), 0) != sizeof(asked))
      return 0;
    serve(service, asked);
  }
  return 1;
}
