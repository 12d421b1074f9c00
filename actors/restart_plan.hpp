// SPDX-License-Identifier: Apache-2.0
// Whether and when a VM that died is started again. Values: their caller knows the time.
#pragma once

#include "crosvisor/actors/timeouts.hpp"
#include "crosvisor/messages/payload_status.hpp"
#include "crosvisor/messages/vm_config.hpp"
#include "crosvisor/messages/vm_state.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace crosvisor::actors {

/// Whether a VM ended other than somebody wanted. Its own power-off is as wanted, unless its
/// payload failed; a payload that ended with 0 has done its work, whatever came then; every other
/// end is a failure, and so is a reset, since a guest that asks for one wants to run.
bool is_failure(const vmm_exit& exit, const payload_info& payload) noexcept;

/// Whether a VM that nobody stopped is to be started again.
bool wants_restart(restart_policy policy, const vmm_exit& exit,
                   const payload_info& payload) noexcept;

/// Counts one VM's restarts: the wait before each doubles, up to a bound, until a life was stable;
/// and there are so many in a window of time (as systemd.unit(5) has StartLimitBurst= and
/// StartLimitIntervalSec=), of whatever length the lives were.
class restart_plan {
public:
  using clock = std::chrono::steady_clock;

  explicit restart_plan(const vm_timeouts& bounds = {}) : bounds_(bounds) {}

  /// A life begins.
  void begin(clock::time_point now) { begun_ = now; }

  /// It has ended. How long to wait for the next one, which counts from now on; nothing: there were
  /// too many.
  std::optional<clock::duration> next(clock::time_point now);

  /// Too many of what, for people.
  std::string what() const;

  /// The plan as a note: `streak begin restart restart …`, the times in milliseconds since
  /// 1970-01-01 UTC, which is `unix_ms` at `now`.
  std::string encode(clock::time_point now, std::int64_t unix_ms) const;

  /// The inverse. Text that makes no sense leaves the plan as it is.
  /// @returns whether it made sense.
  bool decode(const std::string& text, clock::time_point now, std::int64_t unix_ms);

private:
  vm_timeouts bounds_;
  std::uint32_t streak_ = 0; ///< Restarts since a life was stable.
  std::optional<clock::time_point> begun_;
  std::deque<clock::time_point> restarts_; ///< Within the window.
};

} // namespace crosvisor::actors
