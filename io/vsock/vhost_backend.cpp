// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/vhost_backend.hpp"

#include "crosvisor/io/vsock/vhost_payload.hpp"

#include <algorithm>

namespace crosvisor::io::vsock {

namespace {

using reply = vhost_backend::reply;

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

} // namespace crosvisor::io::vsock
