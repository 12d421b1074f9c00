// SPDX-License-Identifier: Apache-2.0
// What subscribers are told of a VM. Knows no CAF type.
#pragma once

#include "crosvisor/messages/fwd.hpp"
#include "crosvisor/messages/payload_status.hpp"
#include "crosvisor/messages/vm_state.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor {

/// The version of what events and printed data look like; grows when a field changes its meaning.
inline constexpr int event_schema = 1;

enum class vm_event_kind : std::uint8_t {
  created,
  starting,
  started,
  ready,    ///< The payload serves.
  finished, ///< The payload has ended: payload_info::exit_code.
  suspended,
  resumed,
  stopping, ///< A stop was asked for; `detail` says which step of the ladder is being tried.
  dead,
  /// The payload runs: its first output connection, or the guest's word, whichever comes first.
  /// Once, and before `ready` and `finished`.
  payload_started,
  /// The payload can't be run, or failed: payload_info::error; `detail` is the guest's own words.
  /// At most once.
  payload_error,
  /// It has died, and is started again after a while: `reason` and `exit` say of what it died. The
  /// state is `not_started` again.
  restarting,
  given_up, ///< It died once too often, and is not started again; `dead` follows.
};

/// A part of what a start takes, which the service itself does; docs/timeline.md has each.
struct vm_step {
  std::string name; ///< Stable, in snake_case.
  /// Microseconds since 1970-01-01 UTC.
  std::int64_t begin_us = 0;
  std::int64_t end_us = 0;
};

/// One thing that happened to a VM. Whoever subscribes is sent the last state event at once, then
/// each event as it comes, in the order of `seq`.
struct vm_event {
  /// Counts this VM's events from 1; a repeated state event keeps its number.
  std::uint64_t seq = 0;
  /// Counts the events of a daemon, over its restarts, from 1; 0: from no daemon.
  std::uint64_t number = 0;
  /// When it happened: milliseconds since 1970-01-01 UTC.
  std::int64_t time_ms = 0;
  vm_cid cid = no_cid;
  vm_name name;
  vm_event_kind kind = vm_event_kind::created;
  /// The state that the VM is in with this event.
  vm_state state = vm_state::not_started;
  /// One sentence for people; may be empty.
  std::string detail;
  /// Of `dead` and `restarting` events alone.
  death_reason reason = death_reason::unknown;
  /// Of `dead` and `restarting` events alone.
  vmm_exit exit;
  /// What was known of the payload with this event, `dead` included.
  payload_info payload;
  /// `time_ms` in microseconds; 0: from a service that did not say it.
  std::int64_t time_us = 0;
  /// What was done since the last event that has any: of `created`, `starting`, `started` and
  /// `dead` events.
  std::vector<vm_step> steps;
};

/// Stable snake_case name.
std::string to_string(vm_event_kind kind);

/// Now, in the unit of vm_event::time_ms.
inline std::int64_t unix_time_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

/// Now, in the unit of vm_event::time_us.
inline std::int64_t unix_time_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

template <class Inspector>
auto inspect(Inspector& f, vm_step& x) {
  return f(x.name, x.begin_us, x.end_us);
}

template <class Inspector>
auto inspect(Inspector& f, vm_event& x) {
  return f(x.seq, x.number, x.time_ms, x.cid, x.name, x.kind, x.state, x.detail, x.reason, x.exit,
           x.payload, x.time_us, x.steps);
}

} // namespace crosvisor
