// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/vhost_backend.hpp"

#include "crosvisor/io/vsock/wire.hpp"

#include <algorithm>
#include <bit>

namespace crosvisor::io::vsock {

namespace {

using reply = vhost_backend::reply;

failure bad(const vhost_message& message, const char* what) {
  return {0, "vmm's message " + std::to_string(message.header.request) + ": " + what};
}

// A payload of exactly one T.
template <class T>
bool has(const vhost_message& message) noexcept {
  return message.payload.size() == sizeof(T);
}

bool is_question(vhost_request request) noexcept {
  switch (request) {
    case vhost_request::get_features:
    case vhost_request::get_protocol_features:
    case vhost_request::get_queue_num:
    case vhost_request::get_vring_base:
    case vhost_request::get_config:
    case vhost_request::get_inflight_fd:
    case vhost_request::get_max_mem_slots:
    case vhost_request::get_status:
    case vhost_request::check_device_state:
    case vhost_request::get_shmem_config: return true;
    default: return false;
  }
}

bool takes_fds(vhost_request request) noexcept {
  return request == vhost_request::set_mem_table || request == vhost_request::set_vring_kick
         || request == vhost_request::set_vring_call || request == vhost_request::set_vring_err;
}

bool is_known(vhost_request request) noexcept {
  switch (request) {
    case vhost_request::set_features:
    case vhost_request::set_owner:
    case vhost_request::reset_owner:
    case vhost_request::set_vring_num:
    case vhost_request::set_vring_addr:
    case vhost_request::set_vring_base:
    case vhost_request::set_protocol_features:
    case vhost_request::set_vring_enable:
    case vhost_request::set_config: return true;
    default: return takes_fds(request);
  }
}

reply number(const vhost_message& to, std::uint64_t value) {
  return make_reply(to.request(), &value, sizeof(value));
}

// The payload of GET_CONFIG and SET_CONFIG before its data.
struct config_access {
  std::uint32_t offset;
  std::uint32_t size;
  std::uint32_t flags;
};
static_assert(sizeof(config_access) == 12);
constexpr std::uint32_t max_config = 256;

// The low byte of a kick's, call's or err's payload is the ring; this bit: no descriptor comes.
constexpr std::uint64_t no_fd = 0x100;
constexpr std::uint64_t ring_mask = 0xFF;

} // namespace

vhost_backend::vhost_backend(std::uint64_t guest_cid, poller& poll, report& log,
                             std::function<void()> before_tx_stops)
    : guest_cid_(guest_cid),
      log_(log),
      before_tx_stops_(std::move(before_tx_stops)),
      rings_{vring{poll, first_kick_token + rx_ring, buffer_use::device_writes},
             vring{poll, first_kick_token + tx_ring, buffer_use::device_reads},
             vring{poll, first_kick_token + 2, buffer_use::device_writes}} {}

result<reply> vhost_backend::handle(vhost_message message) {
  auto needs_reply = (message.header.flags & vhost_need_reply) != 0
                     && (protocol_features_ & protocol_reply_ack) != 0;
  if (!message.fds.empty() && !takes_fds(message.request()))
    return bad(message, "descriptors where none belong");
  if (is_question(message.request()))
    return answer(message);
  if (!is_known(message.request()))
    return needs_reply ? number(message, 1) : reply{};
  auto done = perform(message);
  // SET_PROTOCOL_FEATURES itself is answered only by what was agreed before it.
  if (needs_reply) {
    if (!done)
      log_.line(done.why().what);
    return number(message, done ? 0 : 1);
  }
  if (!done)
    return done.why();
  return reply{};
}

result<reply> vhost_backend::answer(vhost_message& message) {
  switch (message.request()) {
    case vhost_request::get_features: return number(message, offered_features);
    case vhost_request::get_protocol_features: return number(message, offered_protocol_features);
    case vhost_request::get_queue_num: return number(message, ring_count);
    case vhost_request::get_vring_base: return get_ring_base(message);
    case vhost_request::get_config: return get_config(message);
    default: return bad(message, "asks for what was not offered");
  }
}

result<void> vhost_backend::perform(vhost_message& message) {
  switch (message.request()) {
    case vhost_request::set_features: return set_features(message);
    case vhost_request::set_protocol_features: return set_protocol_features(message);
    case vhost_request::set_mem_table: return set_memory(message);
    case vhost_request::set_vring_num: return set_ring_size(message);
    case vhost_request::set_vring_addr: return set_ring_address(message);
    case vhost_request::set_vring_base: return set_ring_base(message);
    case vhost_request::set_vring_kick:
    case vhost_request::set_vring_call:
    case vhost_request::set_vring_err: return set_ring_fd(message);
    case vhost_request::set_vring_enable: return enable_ring(message);
    case vhost_request::set_config: return bad(message, "the configuration can't be written");
    default: return {};
  }
}

result<void> vhost_backend::set_features(const vhost_message& message) {
  if (!has<std::uint64_t>(message))
    return bad(message, "wrong size");
  auto wanted = load<std::uint64_t>(message.payload.data());
  if ((wanted & ~offered_features) != 0)
    return bad(message, "a feature that was not offered");
  features_ = wanted;
  if ((features_ & feature_protocol) == 0)
    for (auto& ring : rings_) {
      ring.enabled = true;
      run(ring);
    }
  return {};
}

result<void> vhost_backend::set_protocol_features(const vhost_message& message) {
  if (!has<std::uint64_t>(message))
    return bad(message, "wrong size");
  auto wanted = load<std::uint64_t>(message.payload.data());
  if ((wanted & ~offered_protocol_features) != 0)
    return bad(message, "a feature that was not offered");
  protocol_features_ = wanted;
  return {};
}

result<void> vhost_backend::set_memory(vhost_message& message) {
  if (message.payload.size() < 8)
    return bad(message, "wrong size");
  auto count = load<std::uint32_t>(message.payload.data());
  if (count > max_regions || message.payload.size() != 8 + count * sizeof(memory_region))
    return bad(message, "wrong size");
  std::vector<memory_region> regions(count);
  for (std::size_t i = 0; i < count; ++i)
    regions[i] = load<memory_region>(message.payload.data() + 8 + i * sizeof(memory_region));
  auto table = memory_table::map(regions, message.fds);
  if (!table)
    return table.why();
  for (std::size_t i = 0; i < ring_count; ++i)
    if (!rings_[i].remap(*table))
      log_.line("ring " + std::to_string(i) + " is not in the new memory");
  // The old mappings go last.
  std::swap(memory_, *table);
  return {};
}

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

result<reply> vhost_backend::get_config(const vhost_message& message) const {
  if (message.payload.size() < sizeof(config_access))
    return bad(message, "wrong size");
  auto access = load<config_access>(message.payload.data());
  if (access.size > max_config || access.offset > max_config
      || message.payload.size() != sizeof(access) + access.size) {
    access.size = 0; // A failure, as QEMU and crosvm read it.
    return make_reply(message.request(), &access, sizeof(access));
  }
  std::array<std::byte, sizeof(access) + 2 * max_config> body{};
  store(body.data(), access);
  // What is beyond the CID is zero.
  std::array<std::byte, 2 * max_config> space{};
  store(space.data(), guest_cid_);
  std::copy_n(space.begin() + access.offset, access.size, body.begin() + sizeof(access));
  return make_reply(message.request(), body.data(), sizeof(access) + access.size);
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

void vhost_backend::call_if_due() noexcept {
  rings_[rx_ring].call_if_due();
  rings_[tx_ring].call_if_due();
}

} // namespace crosvisor::io::vsock
