// SPDX-License-Identifier: Apache-2.0
// Lines of the log that programs look for, each with an id that stays: docs/metrics.md has them.
#pragma once

#include "crosvisor/io/logging.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crosvisor::log {

enum class logged_event : std::uint8_t {
  serving,         ///< The daemon serves.
  stopping,        ///< It is about to stop its VMs and end.
  leaving,         ///< It is about to end and leave its VMs to their keepers.
  config_reloaded, ///< It has read its configuration anew,
  config_refused,  ///< or keeps the one that it had.
  vm_created,
  vm_started, ///< Its VMM runs the guest.
  vm_died,
  vm_restarting, ///< It has died, and is started again.
  vm_given_up,   ///< It has died too often, and is not.
  vm_adopted,    ///< It was taken back from its keeper.
  vm_lost,       ///< Nothing was left of it when the daemon began.
  vm_refused,    ///< Somebody was not to have a VM.
  limit_reached, ///< Of what is bounded somebody wanted more.
};
inline constexpr std::size_t logged_event_count = 14;

/// The 128 bits of a MESSAGE_ID (systemd.journal-fields(7)) in 32 digits; never changes.
const char* message_id_of(logged_event what) noexcept;

/// Stable snake_case name.
const char* name_of(logged_event what) noexcept;

/// Clients can cause a `vm_refused` or `limit_reached` as often as they like: of each so many lines
/// a minute are written.
inline constexpr std::size_t most_refusals_a_minute = 10;

/// As write(); `info` or more serious, by what it is. Any thread.
void write(logged_event what, const about_vm* vm, fmt::string_view format, fmt::format_args args);

/// Takes a line with its event, as line_writer does; what write_to() says is for the others.
using event_writer = void (*)(logged_event what, level of, const about_vm* vm,
                              std::string_view line);

/// Null: they are lines as others. Any thread.
void write_events_to(event_writer writer) noexcept;

template <class... Args>
void event(logged_event what, fmt::format_string<Args...> format, Args&&... args) {
  write(what, nullptr, format, fmt::make_format_args(args...));
}

template <class... Args>
void event(logged_event what, const about_vm& vm, fmt::format_string<Args...> format,
           Args&&... args) {
  write(what, &vm, format, fmt::make_format_args(args...));
}

} // namespace crosvisor::log
