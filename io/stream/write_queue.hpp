// SPDX-License-Identifier: Apache-2.0
// Pieces that a socket did not take yet.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// First in, first out. Small pieces are joined, so that it holds little more than its bytes.
class write_queue {
public:
  bool empty() const noexcept { return pieces_.empty(); }

  /// What is to be written next; empty where the queue is.
  std::string_view front() const noexcept {
    return empty() ? std::string_view{} : std::string_view{pieces_.front()}.substr(written_);
  }

  void push(std::string bytes) {
    if (bytes.empty())
      return;
    if (pieces_.size() > 1 && pieces_.back().size() + bytes.size() <= joined_bytes)
      pieces_.back() += bytes;
    else
      pieces_.push_back(std::move(bytes));
  }

  /// `count` bytes of front() are written.
  void pop(std::size_t count) {
    written_ += count;
    if (empty() || written_ < pieces_.front().size())
      return;
    pieces_.pop_front();
    written_ = 0;
  }

  void clear() noexcept {
    pieces_.clear();
    written_ = 0;
  }

private:
  static constexpr std::size_t joined_bytes = 16u << 10;

  std::deque<std::string> pieces_;
  std::size_t written_ = 0; ///< Of the first.
};

} // namespace crosvisor::io
