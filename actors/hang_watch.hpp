// SPDX-License-Identifier: Apache-2.0
// The hang watchdog's clock. A value: its caller knows the time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace crosvisor::actors {

/// Counts the time that a guest runs without a word of its payload. While the guest is suspended
/// the clock stands still.
class hang_watch {
public:
  using clock = std::chrono::steady_clock;

  /// Begins to wait for so long.
  void begin(clock::duration bound, clock::time_point now);

  /// The guest was suspended.
  void pause(clock::time_point now);

  /// It runs again.
  void go_on(clock::time_point now);

  /// The guest spoke, or is past being waited for. Final.
  void end() noexcept;

  /// How long there is left to wait from now on; nothing while the clock does not run.
  std::optional<clock::duration> left(clock::time_point now) const;

  /// The number of the present stretch; a timer of an earlier one counts no more.
  std::uint64_t stretch() const noexcept { return stretch_; }

  /// What was waited for and how long, for people.
  std::string what() const;

private:
  clock::duration bound_{};
  clock::duration left_{};
  std::optional<clock::time_point> since_; ///< Set while the clock runs.
  bool waiting_ = false;
  std::uint64_t stretch_ = 0;
};

} // namespace crosvisor::actors
