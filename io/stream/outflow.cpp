// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/stream/outflow.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::io {

void outflow::add(std::size_t bytes) {
  std::lock_guard lock{mutex_};
  handed_ += bytes;
}

void outflow::set_unwritten(std::size_t bytes, std::size_t more) {
  std::vector<std::function<void()>> all;
  {
    std::lock_guard lock{mutex_};
    // Of a message with a piece in it the connection counts a few bytes more.
    handed_ -= std::min(handed_, more);
    unwritten_ = bytes;
    if (handed_ + unwritten_ <= high_water_bytes / 2)
      all = std::exchange(waiting_, {});
  }
  for (const auto& on_room : all)
    on_room();
}

bool outflow::has_room(std::function<void()> on_room) {
  std::lock_guard lock{mutex_};
  if (handed_ + unwritten_ < high_water_bytes)
    return true;
  waiting_.push_back(std::move(on_room));
  return false;
}

std::size_t outflow::bytes() const {
  std::lock_guard lock{mutex_};
  return handed_ + unwritten_;
}

} // namespace crosvisor::io
