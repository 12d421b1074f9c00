// SPDX-License-Identifier: Apache-2.0
// What the service asks for.
#include "crosvisor/io/vsock/switchboard.hpp"

#include <algorithm>
#include <cerrno>

namespace crosvisor::io::vsock {

namespace {

// Ports of the host's own connections, as a guest sees them; taken in turn, so that none comes
// again soon.
constexpr std::uint32_t first_host_port = 1u << 30;
constexpr std::uint32_t end_host_port = 1u << 31;

} // namespace

bool switchboard::read_service(int most) {
  service_.flush();
  for (auto count = 0; count < most; ++count) {
    // Who doesn't take the answers gets no more of them.
    if (service_.has_waiting() || service_.ended() || service_failure_)
      return false;
    auto got = service_.receive();
    if (!got)
      service_failure_ = got.why();
    else if (*got)
      service_message(**got);
    else
      return false;
  }
  return true;
}

// A guest may know of a port before this device has read that it is served: then it is read now.
bool switchboard::serves(std::uint32_t port) {
  constexpr auto messages = 64;
  auto served = [&] { return std::binary_search(ports_.begin(), ports_.end(), port); };
  while (!served())
    if (!read_service(messages))
      return served();
  return true;
}

void switchboard::service_message(const channel_message& message) {
  switch (message.kind) {
    case message_kind::listen: listen(message.port); break;
    case message_kind::unlisten: std::erase(ports_, message.port); break;
    case message_kind::connect: connect(message); break;
    case message_kind::abandon: abandon(message.id); break;
    default: break;
  }
}

void switchboard::listen(std::uint32_t port) {
  auto place = std::lower_bound(ports_.begin(), ports_.end(), port);
  if (place != ports_.end() && *place == port)
    return;
  if (ports_.size() >= port_limit)
    log_.line("device refuses to serve more ports");
  else
    ports_.insert(place, port);
}

connection_key switchboard::unused_key(std::uint32_t guest_port) noexcept {
  connection_key key;
  do {
    key = {next_host_port_++, guest_port};
    if (next_host_port_ == end_host_port)
      next_host_port_ = first_host_port;
  } while (table_.find(key) != nullptr);
  return key;
}

void switchboard::connect(const channel_message& message) {
  if (table_.is_full()) {
    channel_message answer;
    answer.kind = message_kind::refused;
    answer.id = message.id;
    answer.error = EMFILE;
    service_.send(answer);
    return;
  }
  auto& which = table_.add(unused_key(message.port), connection_phase::requesting);
  which.request_id = message.id;
  which.deadline = now_ + std::chrono::milliseconds{message.timeout_ms};
  schedule(which.deadline);
  table_.enqueue(which);
}

void switchboard::abandon(std::uint32_t id) {
  table_.for_each([&](connection& which) {
    if (which.request_id == id) {
      which.request_id = 0;
      reset(which, 0);
    }
  });
}

} // namespace crosvisor::io::vsock
