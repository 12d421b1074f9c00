// SPDX-License-Identifier: Apache-2.0
// Lines for the operator, as few as they are useful: a guest must not fill a log.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace crosvisor::io::vsock {

/// What tells the time; steady_clock::now but for tests.
using clock_function = std::function<std::chrono::steady_clock::time_point()>;

/// Passes on a burst of lines, then a few in each interval, and says how many it held back.
class report {
public:
  static constexpr int burst = 20;
  static constexpr std::chrono::seconds interval{30};

  /// @param sink gets each line without its end.
  report(clock_function clock, std::function<void(std::string_view)> sink)
      : clock_(std::move(clock)), sink_(std::move(sink)) {}

  /// Subject verb object; what others have sent in it is numbers alone.
  void line(std::string_view text);

private:
  clock_function clock_;
  std::function<void(std::string_view)> sink_;
  std::chrono::steady_clock::time_point since_;
  int passed_ = 0;
  unsigned long held_back_ = 0;
};

} // namespace crosvisor::io::vsock
