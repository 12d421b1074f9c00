// SPDX-License-Identifier: Apache-2.0
// Messages about rings.
#include "crosvisor/io/vsock/vhost_backend.hpp"
#include "crosvisor/io/vsock/vhost_payload.hpp"

#include <bit>

namespace crosvisor::io::vsock {

namespace {

using reply = vhost_backend::reply;

// The low byte of a kick's, call's or err's payload is the ring; this bit: no descriptor comes.
constexpr std::uint64_t no_fd = 0x100;
constexpr std::uint64_t ring_mask = 0xFF;

} // namespace

vring* vhost_backend::ring_of(std::uint64_t index) noexcept {
  return index < ring_count ? &rings_[index] : nullptr;
}

// The size, addresses and base of a running queue can't change.
result<void> vhost_backend::set_ring_size(const vhost_message& message) {
  if (!has<vring_state>(message))
    return bad(message, "wrong size");
  auto state = load<vring_state>(message.payload.data());
  auto* ring = ring_of(state.index);
  if (ring == nullptr || ring->queue() != nullptr || state.num > 32768
      || !std::has_single_bit(state.num))
    return bad(message, "no such ring, it runs, or not a ring's size");
  ring->setup.size = state.num;
  return {};
}

result<void> vhost_backend::set_ring_address(const vhost_message& message) {
  if (!has<vring_address>(message))
    return bad(message, "wrong size");
  auto address = load<vring_address>(message.payload.data());
  auto* ring = ring_of(address.index);
  if (ring == nullptr || ring->queue() != nullptr)
    return bad(message, "no such ring, or it runs");
  ring->setup.descriptors = address.descriptors;
  ring->setup.avail = address.avail;
  ring->setup.used = address.used;
  return {};
}

result<void> vhost_backend::set_ring_base(const vhost_message& message) {
  if (!has<vring_state>(message))
    return bad(message, "wrong size");
  auto state = load<vring_state>(message.payload.data());
  auto* ring = ring_of(state.index);
  if (ring == nullptr || ring->queue() != nullptr)
    return bad(message, "no such ring, or it runs");
  ring->setup.base = static_cast<std::uint16_t>(state.num);
  return {};
}

result<void> vhost_backend::set_ring_fd(vhost_message& message) {
  if (!has<std::uint64_t>(message))
    return bad(message, "wrong size");
  auto payload = load<std::uint64_t>(message.payload.data());
  auto* ring = ring_of(payload & ring_mask);
  auto expected = (payload & no_fd) != 0 ? 0u : 1u;
  if (ring == nullptr || message.fds.size() != expected)
    return bad(message, "no such ring, or not one descriptor");
  auto fd = expected == 1 ? std::move(message.fds[0]) : unique_fd{};
  if (message.request() == vhost_request::set_vring_call) {
    ring->set_call(std::move(fd));
  } else if (message.request() == vhost_request::set_vring_err) {
    ring->set_err(std::move(fd));
  } else {
    if (!ring->set_kick(std::move(fd)))
      return bad(message, "a descriptor that can't be waited for");
    ring->started = true;
    run(*ring);
  }
  return {};
}

result<void> vhost_backend::enable_ring(const vhost_message& message) {
  if (!has<vring_state>(message))
    return bad(message, "wrong size");
  auto state = load<vring_state>(message.payload.data());
  auto* ring = ring_of(state.index);
  if (ring == nullptr || state.num > 1)
    return bad(message, "no such ring or state");
  ring->enabled = state.num == 1;
  if (ring->enabled) {
    run(*ring);
  } else {
    if (state.index == tx_ring && ring->queue() != nullptr)
      before_tx_stops_();
    ring->park();
  }
  return {};
}

result<reply> vhost_backend::get_ring_base(const vhost_message& message) {
  if (!has<vring_state>(message))
    return bad(message, "wrong size");
  auto state = load<vring_state>(message.payload.data());
  auto* ring = ring_of(state.index);
  if (ring == nullptr)
    return bad(message, "no such ring");
  if (state.index == tx_ring && ring->queue() != nullptr)
    before_tx_stops_();
  ring->stop();
  state.num = ring->setup.base;
  return make_reply(message.request(), &state, sizeof(state));
}

void vhost_backend::run(vring& ring) {
  // The event ring's queue is never run: nothing is ever told there.
  if (&ring == &rings_[rx_ring] || &ring == &rings_[tx_ring])
    if (!ring.run(memory_, event_idx()))
      log_.line("ring " + std::to_string(&ring - rings_.data()) + " has no good addresses");
}

bool vhost_backend::resumed() noexcept {
  auto rx_resumed = rings_[rx_ring].resumed();
  auto tx_resumed = rings_[tx_ring].resumed();
  return rx_resumed && tx_resumed;
}

void vhost_backend::fail_ring(std::size_t index) {
  log_.line("guest broke ring " + std::to_string(index));
  rings_[index].fail();
}

void vhost_backend::call_if_due(std::size_t ring) noexcept {
  rings_[ring].call_if_due();
}

} // namespace crosvisor::io::vsock
