// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/vhost_message.hpp"

#include "crosvisor/io/received_descriptors.hpp"
#include "crosvisor/io/vsock/wire.hpp"

#include <sys/socket.h>

#include <cstring>

namespace crosvisor::io::vsock {

namespace {

using state = vhost_reader::state;

failure bad(const char* what) {
  return {0, std::string{"vmm's message: "} + what};
}

// 0 and a reset are one: the VMM has gone.
result<state> socket_end(ssize_t got) {
  if (got == 0 || errno == ECONNRESET)
    return state::ended;
  if (errno == EAGAIN || errno == EINTR)
    return state::incomplete;
  return last_failure("vmm's socket");
}

} // namespace

result<state> vhost_reader::read(int socket) {
  if (header_bytes_ < header_.size())
    if (auto got = read_header(socket); !got || *got != state::complete)
      return got;
  return read_payload(socket);
}

result<state> vhost_reader::read_header(int socket) {
  iovec part{header_.data() + header_bytes_, header_.size() - header_bytes_};
  alignas(cmsghdr) char control[CMSG_SPACE(max_vhost_fds * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  auto got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got <= 0)
    return socket_end(got);
  take_descriptors(message, message_.fds);
  if ((message.msg_flags & MSG_CTRUNC) != 0 || message_.fds.size() > max_vhost_fds)
    return bad("too many descriptors");
  header_bytes_ += static_cast<std::size_t>(got);
  if (header_bytes_ < header_.size())
    return state::incomplete;
  message_.header = load<vhost_header>(header_.data());
  if (auto checked = check_header(); !checked)
    return checked.why();
  message_.payload.resize(message_.header.size);
  return state::complete;
}

result<void> vhost_reader::check_header() {
  auto flags = message_.header.flags;
  if ((flags & vhost_version_mask) != vhost_version)
    return bad("unknown version");
  if ((flags & vhost_reply) != 0)
    return bad("a reply to nothing");
  if (message_.header.size > max_vhost_payload)
    return bad("too long");
  return {};
}

result<state> vhost_reader::read_payload(int socket) {
  while (payload_bytes_ < message_.payload.size()) {
    auto got = ::recv(socket, message_.payload.data() + payload_bytes_,
                      message_.payload.size() - payload_bytes_, MSG_DONTWAIT);
    if (got <= 0)
      return socket_end(got);
    payload_bytes_ += static_cast<std::size_t>(got);
  }
  return state::complete;
}

vhost_message vhost_reader::take() {
  header_bytes_ = 0;
  payload_bytes_ = 0;
  return std::exchange(message_, {});
}

std::vector<std::byte> make_reply(vhost_request request, const void* payload, std::size_t size) {
  vhost_header header{static_cast<std::uint32_t>(request), vhost_version | vhost_reply,
                      static_cast<std::uint32_t>(size)};
  std::vector<std::byte> reply(sizeof(header) + size);
  store(reply.data(), header);
  if (size > 0)
    std::memcpy(reply.data() + sizeof(header), payload, size);
  return reply;
}

result<void> send_reply(int socket, const std::vector<std::byte>& reply) {
  auto sent = ::send(socket, reply.data(), reply.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(reply.size()))
    return {};
  if (sent >= 0)
    errno = EAGAIN;
  return last_failure("reply to vmm");
}

} // namespace crosvisor::io::vsock
