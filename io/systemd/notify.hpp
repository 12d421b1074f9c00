// SPDX-License-Identifier: Apache-2.0
// What a service tells its service manager: sd_notify(3).
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace crosvisor::io {

/// Whether somebody wants to be told: $NOTIFY_SOCKET.
bool is_notified() noexcept;

/// Tells the service manager, where there is one; `state` has one assignment a line. Blocks while
/// its socket is full. What can't be told is said once, in the log.
void notify(const std::string& state);

/// How often WATCHDOG=1 is wanted at least; nothing where it is not: sd_watchdog_enabled(3).
std::optional<std::chrono::microseconds> watchdog_interval();

/// What is told when a reload begins; the manager wants to know when that was.
std::string reloading_state();

/// One line of status: control characters of what it repeats come out as `\xNN`.
std::string status_state(const std::string& words);

} // namespace crosvisor::io
