// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/service_channel.hpp"

#include "crosvisor/io/vsock/wire.hpp"

#include <sys/socket.h>

#include <array>

namespace crosvisor::io::vsock {

namespace {

failure bad(const char* what) {
  return {0, std::string{"service's message: "} + what};
}

bool valid(const channel_message& message) noexcept {
  switch (message.kind) {
    case message_kind::listen:
    case message_kind::unlisten: return message.port <= max_port;
    case message_kind::connect:
      return message.id != 0 && message.port <= max_port && message.timeout_ms >= 1
             && message.timeout_ms <= 3'600'000;
    case message_kind::abandon: return message.id != 0;
    default: return false;
  }
}

} // namespace

result<std::optional<channel_message>> service_channel::receive() {
  std::array<std::byte, sizeof(channel_message) + 1> bytes;
  iovec part{bytes.data(), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  // There is no room for descriptors: the kernel drops them and says MSG_CTRUNC.
  auto got = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return std::optional<channel_message>{};
  if (got == 0 || (got < 0 && errno == ECONNRESET)) {
    ended_ = true;
    return std::optional<channel_message>{};
  }
  if (got < 0)
    return last_failure("service's socket");
  if (got != sizeof(channel_message) || (header.msg_flags & MSG_CTRUNC) != 0)
    return bad("wrong size, or descriptors");
  auto message = load<channel_message>(bytes.data());
  if (!valid(message))
    return bad("unknown kind or wrong content");
  return std::optional{message};
}

bool service_channel::try_send(const letter& entry) {
  auto message = entry.message;
  iovec part{&message, sizeof(message)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (entry.carried) {
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    auto* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    store(CMSG_DATA(rights), entry.carried.get());
  }
  if (::sendmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
    return true;
  if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
    ended_ = true;
  // Nobody will read it then. Else the service is slow, or too many descriptors are on their way.
  return ended_;
}

void service_channel::send(const channel_message& message, unique_fd carried) {
  letter entry{message, std::move(carried)};
  if (!waiting_.empty() || !try_send(entry))
    waiting_.push_back(std::move(entry));
}

void service_channel::flush() {
  while (!waiting_.empty() && try_send(waiting_.front()))
    waiting_.pop_front();
}

} // namespace crosvisor::io::vsock
