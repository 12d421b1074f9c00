// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/virtqueue.hpp"

#include "crosvisor/io/vsock/wire.hpp"

#include <algorithm>
#include <atomic>

namespace crosvisor::io::vsock {

namespace {

constexpr std::uint16_t has_next = 1;
constexpr std::uint16_t is_written = 2;
constexpr std::uint16_t is_indirect = 4;
constexpr std::uint16_t no_interrupt = 1;
constexpr std::uint16_t no_notify = 1;
constexpr std::uint64_t max_chain_bytes = std::uint64_t{1} << 32;

std::uint16_t u16(std::size_t value) noexcept {
  return static_cast<std::uint16_t>(value);
}

// What the guest reads and writes at the same time; aligned, as the ring's parts are.
std::uint16_t load_shared(const std::byte* at, int order) noexcept {
  auto* value = reinterpret_cast<const std::uint16_t*>(at);
  return order == __ATOMIC_ACQUIRE ? __atomic_load_n(value, __ATOMIC_ACQUIRE)
                                   : __atomic_load_n(value, __ATOMIC_RELAXED);
}

void store_shared(std::byte* at, std::uint16_t content) noexcept {
  __atomic_store_n(reinterpret_cast<std::uint16_t*>(at), content, __ATOMIC_RELEASE);
}

// Stores before it are seen before loads after it, by both sides: else each could miss the other's
// last word and sleep.
void full_fence() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

} // namespace

virtqueue::virtqueue(const memory_table& memory, buffer_use use, ring_parts parts,
                     std::uint16_t size, std::uint16_t next_avail, bool event_idx)
    : memory_(memory),
      use_(use),
      parts_(parts),
      size_(size),
      next_avail_(next_avail),
      next_used_(load_shared(parts.used + 2, __ATOMIC_RELAXED)),
      published_(next_used_),
      signalled_(next_used_),
      event_idx_(event_idx) {}

std::uint16_t virtqueue::avail_index() const noexcept {
  return load_shared(parts_.avail + 2, __ATOMIC_ACQUIRE);
}

pop_result virtqueue::pop(std::vector<iovec>& pieces, buffer_chain& chain) {
  auto pending = u16(avail_index() - next_avail_);
  if (pending == 0)
    return pop_result::empty;
  if (pending > size_)
    return pop_result::broken;
  auto slot = next_avail_ & (size_ - 1);
  auto head = load_shared(parts_.avail + 4 + 2 * slot, __ATOMIC_RELAXED);
  if (!follow(head, pieces, chain))
    return pop_result::broken;
  ++next_avail_;
  return pop_result::popped;
}

bool virtqueue::follow(std::uint16_t head, std::vector<iovec>& pieces, buffer_chain& chain) const {
  chain = {head, pieces.size(), 0, 0};
  auto limit = std::min<std::size_t>(size_, max_chain);
  auto written = use_ == buffer_use::device_writes;
  auto next = head;
  for (std::size_t seen = 0; seen < limit; ++seen) {
    if (next >= size_)
      return false;
    auto found = load<descriptor>(parts_.descriptors + sizeof(descriptor) * next);
    if ((found.flags & is_indirect) != 0 || ((found.flags & is_written) != 0) != written)
      return false;
    chain.bytes += found.length;
    if (chain.bytes > max_chain_bytes
        || !memory_.at_guest_address(found.address, found.length, pieces))
      return false;
    if ((found.flags & has_next) == 0) {
      chain.count = pieces.size() - chain.first;
      return true;
    }
    next = found.next;
  }
  return false;
}

void virtqueue::push(std::uint16_t head, std::uint32_t written) noexcept {
  auto* element = parts_.used + 4 + 8 * std::size_t(next_used_ & (size_ - 1));
  store(element, std::uint32_t{head});
  store(element + 4, written);
  ++next_used_;
}

void virtqueue::publish() noexcept {
  published_ = next_used_;
  store_shared(parts_.used + 2, published_);
}

bool virtqueue::arm() noexcept {
  if (event_idx_)
    store_shared(parts_.used + 4 + 8 * std::size_t{size_}, next_avail_);
  else
    store_shared(parts_.used, 0);
  full_fence();
  return avail_index() != next_avail_;
}

void virtqueue::disarm() noexcept {
  if (!event_idx_)
    store_shared(parts_.used, no_notify);
}

bool virtqueue::call_due() noexcept {
  if (signalled_ == published_)
    return false;
  full_fence();
  auto old = std::exchange(signalled_, published_);
  auto first = std::exchange(signalled_before_, true) == false;
  if (!event_idx_)
    return (load_shared(parts_.avail, __ATOMIC_RELAXED) & no_interrupt) == 0;
  auto wanted = load_shared(parts_.avail + 4 + 2 * std::size_t{size_}, __ATOMIC_RELAXED);
  return first || u16(published_ - wanted - 1) < u16(published_ - old);
}

void copy_from_pieces(std::span<const iovec> pieces, std::span<std::byte> to) noexcept {
  for (auto& piece : pieces) {
    auto part = std::min(piece.iov_len, to.size());
    if (part == 0)
      break;
    std::memcpy(to.data(), piece.iov_base, part);
    to = to.subspan(part);
  }
}

void copy_to_pieces(std::span<const std::byte> from, std::span<const iovec> pieces) noexcept {
  for (auto& piece : pieces) {
    auto part = std::min(piece.iov_len, from.size());
    if (part == 0)
      break;
    std::memcpy(piece.iov_base, from.data(), part);
    from = from.subspan(part);
  }
}

void slice_pieces(std::span<const iovec> pieces, std::size_t skip, std::size_t limit,
                  std::vector<iovec>& to) {
  for (auto& piece : pieces) {
    auto skipped = std::min(skip, piece.iov_len);
    skip -= skipped;
    auto part = std::min(limit, piece.iov_len - skipped);
    limit -= part;
    if (part > 0)
      to.push_back({static_cast<std::byte*>(piece.iov_base) + skipped, part});
  }
}

} // namespace crosvisor::io::vsock
