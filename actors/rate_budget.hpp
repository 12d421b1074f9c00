// SPDX-License-Identifier: Apache-2.0
// Bounds how often something happens that others cause.
#pragma once

#include <chrono>
#include <cstddef>
#include <utility>

namespace crosvisor::actors {

/// So many times in so long; those beyond are counted. A value: its caller knows the time.
class rate_budget {
public:
  using clock = std::chrono::steady_clock;

  rate_budget(std::size_t times, clock::duration window) : times_(times), window_(window) {}

  /// Whether once more is within the bound at `now`.
  bool take(clock::time_point now) {
    if (now - since_ >= window_) {
      since_ = now;
      used_ = 0;
    }
    if (used_ < times_) {
      ++used_;
      return true;
    }
    ++dropped_;
    return false;
  }

  /// How many were beyond it since this was asked last.
  std::size_t take_dropped() { return std::exchange(dropped_, 0); }

private:
  std::size_t times_;
  clock::duration window_;
  clock::time_point since_{};
  std::size_t used_ = 0;
  std::size_t dropped_ = 0;
};

} // namespace crosvisor::actors
