// SPDX-License-Identifier: Apache-2.0
// Bounds how much those who are not trusted can have logged.
#pragma once

#include <chrono>
#include <cstddef>
#include <utility>

namespace crosvisor::actors {

/// So many lines in so long; those beyond are counted. A value: its caller knows the time.
class log_budget {
public:
  using clock = std::chrono::steady_clock;

  log_budget(std::size_t lines, clock::duration window) : lines_(lines), window_(window) {}

  /// Whether one more line may be logged at `now`.
  bool take(clock::time_point now) {
    if (now - since_ >= window_) {
      since_ = now;
      used_ = 0;
    }
    if (used_ < lines_) {
      ++used_;
      return true;
    }
    ++dropped_;
    return false;
  }

  /// How many were not logged since this was asked last.
  std::size_t take_dropped() { return std::exchange(dropped_, 0); }

private:
  std::size_t lines_;
  clock::duration window_;
  clock::time_point since_{};
  std::size_t used_ = 0;
  std::size_t dropped_ = 0;
};

} // namespace crosvisor::actors
