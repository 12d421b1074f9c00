// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/connection_table.hpp"

namespace crosvisor::io::vsock {

connection* connection_table::find(connection_key key) noexcept {
  auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : slots_[found->second].held.get();
}

connection* connection_table::at(token which) noexcept {
  auto index = static_cast<std::uint32_t>(which);
  if (index >= slots_.size() || slots_[index].generation != which >> 32)
    return nullptr;
  return slots_[index].held.get();
}

connection_table::token connection_table::token_of(const connection& which) const noexcept {
  auto index = by_key_.find(which.key())->second;
  return (token{slots_[index].generation} << 32) | index;
}

connection& connection_table::add(connection_key key, connection_phase phase) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  auto index = free_slots_.back();
  free_slots_.pop_back();
  auto large = large_windows_used_ < large_windows;
  auto& slot = slots_[index];
  slot.held = std::make_unique<connection>(key, phase, large ? large_window : small_window);
  slot.held->large_window = large;
  large_windows_used_ += large ? 1 : 0;
  // 0 is left to other tokens; 2^32 uses of one slot are more than any event outlives.
  if (++slot.generation == 0)
    slot.generation = 1;
  by_key_.emplace(key, index);
  return *slot.held;
}

void connection_table::remove(connection& which) {
  // Else a guest that opens and resets, and takes no packets, makes the queue grow.
  if (which.queued)
    std::erase(queue_, token_of(which));
  auto found = by_key_.find(which.key());
  large_windows_used_ -= which.large_window ? 1 : 0;
  auto index = found->second;
  by_key_.erase(found);
  slots_[index].held.reset();
  free_slots_.push_back(index);
}

void connection_table::enqueue(connection& which) {
  if (!std::exchange(which.queued, true))
    queue_.push_back(token_of(which));
}

connection* connection_table::dequeue() noexcept {
  while (!queue_.empty()) {
    auto* first = at(queue_.front());
    queue_.pop_front();
    if (first != nullptr) {
      first->queued = false;
      return first;
    }
  }
  return nullptr;
}

} // namespace crosvisor::io::vsock
