// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/output_window.hpp"

#include <algorithm>

namespace crosvisor::io {

std::uint64_t output_window::fastest() const noexcept {
  std::uint64_t most = 0;
  for (const auto& [reader, at] : readers_)
    most = std::max(most, at);
  return most;
}

std::size_t output_window::room() const noexcept {
  if (readers_.empty())
    return bound_;
  auto unread = static_cast<std::size_t>(end() - std::max(fastest(), begin_));
  return unread < unread_bound_ ? unread_bound_ - unread : 0;
}

void output_window::add(std::string_view bytes) {
  bytes_.append(bytes);
  trim();
}

void output_window::trim() {
  auto kept = bytes_.size() - head_;
  if (kept <= bound_)
    return;
  auto surplus = kept - bound_;
  if (!readers_.empty()) {
    auto read = fastest();
    surplus = std::min<std::uint64_t>(surplus, read > begin_ ? read - begin_ : 0);
  }
  head_ += surplus;
  begin_ += surplus;
  // Moving the rest to the front now and then costs less than every time.
  if (head_ > bound_ / 4) {
    bytes_.erase(0, head_);
    head_ = 0;
  }
}

void output_window::remove_reader(reader_id reader) {
  readers_.erase(reader);
  trim();
}

output_window::piece output_window::next(reader_id reader, std::size_t most) const {
  auto at = readers_.at(reader);
  auto from = std::max(at, begin_);
  auto length = std::min<std::uint64_t>(end() - from, most);
  std::string_view kept{bytes_};
  return {from, from - at, kept.substr(head_ + (from - begin_), length)};
}

void output_window::advance(reader_id reader, std::size_t count) {
  auto& at = readers_.at(reader);
  at = std::max(at, begin_) + count;
  trim();
}

} // namespace crosvisor::io
