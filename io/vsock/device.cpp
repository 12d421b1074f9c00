// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/device.hpp"

#include <algorithm>

namespace crosvisor::io::vsock {

namespace {

// Connections' tokens have a generation in their upper half; it is never 0.
constexpr std::uint64_t vmm_token = 1;
constexpr std::uint64_t service_token = 2;
constexpr std::uint64_t first_connection_token = std::uint64_t{1} << 32;

// Messages of each kind between two looks at the rings.
constexpr int messages_per_turn = 64;

// When the guest is told that packets were taken: once there are as many as this part of the ring,
// or after this time.
constexpr std::uint16_t taken_call_part = 8;
constexpr std::chrono::milliseconds taken_call_delay{2};

} // namespace

result<std::unique_ptr<device>> device::make(device_plan plan) {
  auto poll = poller::make();
  if (!poll)
    return poll.why();
  std::unique_ptr<device> made{new device{std::move(plan), std::move(*poll)}};
  if (!made->poll_.add(made->vmm_.get(), EPOLLIN, vmm_token)
      || !made->poll_.add(made->service_.fd(), EPOLLIN | EPOLLOUT | EPOLLET, service_token))
    return last_failure("epoll_ctl");
  return made;
}

device::device(device_plan plan, poller poll)
    : clock_(plan.clock),
      last_flush_(plan.last_flush),
      vmm_(std::move(plan.vmm)),
      poll_(std::move(poll)),
      log_(plan.clock, std::move(plan.sink)),
      service_(std::move(plan.service)),
      backend_(plan.guest_cid, poll_, log_, [this] { last_scan(); }),
      board_(plan.guest_cid, poll_, service_, log_) {
  board_.set_time(clock_());
}

std::chrono::milliseconds device::wait_time(std::chrono::milliseconds longest) const {
  // What the service doesn't take now it takes with an event.
  if (busy_ || (service_ready_ && !service_.has_waiting()))
    return std::chrono::milliseconds{0};
  auto next = std::min(board_.next_timer(), taken_call_at_);
  if (next == connection::never)
    return longest;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(next - clock_());
  left = std::max(left, std::chrono::milliseconds{0});
  return longest.count() < 0 ? left : std::min(longest, left);
}

device_state device::turn(std::chrono::milliseconds longest) {
  if (state_ != device_state::running)
    return state_;
  auto events = poll_.wait(wait_time(longest));
  board_.set_time(clock_());
  for (auto& event : events)
    take_event(event.data.u64, event.events);
  if (vmm_ready_)
    read_vmm();
  if (state_ == device_state::running && service_ready_)
    read_service();
  if (state_ != device_state::running)
    return state_;
  board_.expire();
  round();
  check_service();
  return state_;
}

void device::take_event(std::uint64_t token, std::uint32_t events) {
  if (token >= first_connection_token)
    board_.host_event(token, events);
  else if (token == vmm_token)
    vmm_ready_ = true;
  else if (token == service_token)
    service_ready_ = true;
  // Else a kick: rings are looked at in any case.
}

void device::read_vmm() {
  vmm_ready_ = false;
  for (auto count = 0; count < messages_per_turn && state_ == device_state::running; ++count) {
    auto got = reader_.read(vmm_.get());
    if (!got)
      return finish(device_state::failed, got.why().what);
    if (*got == vhost_reader::state::ended)
      return finish(device_state::ended);
    if (*got == vhost_reader::state::incomplete)
      return;
    auto reply = backend_.handle(reader_.take());
    if (!reply)
      return finish(device_state::failed, reply.why().what);
    follow_rings();
    if (reply->empty())
      continue;
    if (auto sent = send_reply(vmm_.get(), *reply); !sent)
      return finish(sent.why().code == EPIPE ? device_state::ended : device_state::failed,
                    sent.why().what);
  }
}

void device::read_service() {
  service_ready_ = board_.read_service(messages_per_turn) || service_.has_waiting();
  check_service();
}

// Packets are another reason to read from the service.
void device::check_service() {
  if (board_.service_failure())
    finish(device_state::failed, board_.service_failure()->what);
  else if (service_.ended())
    finish(device_state::ended);
}

// The rings run, or run no more: for the guest's connections that is a start, a pause, an end.
void device::follow_rings() {
  auto running = backend_.running();
  if (running == was_running_)
    return;
  was_running_ = running;
  busy_ = running;
  if (!running) {
    board_.pause();
    return;
  }
  if (!backend_.resumed())
    board_.forget_driver();
  board_.resume();
}

void device::round() {
  if (!backend_.running()) {
    busy_ = false;
    return;
  }
  auto& tx = *backend_.tx();
  auto& rx = *backend_.rx();
  tx.disarm();
  auto taken = board_.take_packets(tx);
  auto sent = board_.send_packets(rx);
  if (taken == ring_outcome::broken)
    backend_.fail_ring(tx_ring);
  if (sent == ring_outcome::broken)
    backend_.fail_ring(rx_ring);
  backend_.call_if_due(rx_ring);
  call_for_taken();
  follow_rings();
  if (!backend_.running())
    return;
  busy_ = taken == ring_outcome::more || sent == ring_outcome::more
          || (taken == ring_outcome::waiting && !board_.replies_are_full());
  // Kicks are asked for only where one would help.
  if (taken == ring_outcome::idle && tx.arm())
    busy_ = true;
  if (sent == ring_outcome::waiting)
    busy_ = rx.arm() || busy_;
  else
    rx.disarm();
}

// That its packets were taken lets a guest free them, no more, and each call for that interrupts a
// guest that sends: so many at once, or after a while.
void device::call_for_taken() {
  auto* tx = backend_.tx();
  if (tx == nullptr || tx->uncalled() == 0) {
    taken_call_at_ = connection::never;
    return;
  }
  auto now = clock_();
  if (taken_call_at_ == connection::never)
    taken_call_at_ = now + taken_call_delay;
  if (tx->uncalled() < tx->size() / taken_call_part && now < taken_call_at_)
    return;
  taken_call_at_ = connection::never;
  backend_.call_if_due(tx_ring);
}

// What the guest has sent before its packets stop, down to the hosts.
void device::last_scan() {
  if (auto* tx = backend_.tx())
    for (auto rounds = 0; rounds < 128; ++rounds)
      if (board_.take_packets(*tx) != ring_outcome::more)
        break;
  board_.flush_hosts(last_flush_);
}

void device::finish(device_state how, std::string_view why) {
  if (!why.empty())
    log_.line(why);
  last_scan();
  board_.close_all();
  service_.flush();
  state_ = how;
}

} // namespace crosvisor::io::vsock
