// SPDX-License-Identifier: Apache-2.0
// What was told of a VM already, by a service before this one. Knows no CAF type.
#pragma once

#include "crosvisor/messages/vm_event.hpp"

#include <cstdint>
#include <vector>

namespace crosvisor {

/// What subscribers know of a VM. Made by add() from its events in their order, as a journal has
/// them; an empty one is of a VM that nobody was told of.
struct vm_history {
  /// Of the last event; 0: there was none.
  std::uint64_t seq = 0;
  /// What its present life has had, each kind once. A life begins with `created`, and with
  /// `restarting`, which belongs to the one before.
  std::vector<vm_event_kind> told;
  /// The last event of the state itself; meaningful when there was an event.
  vm_event last_state_event;
  bool suspended = false;
  /// How many `restarting` events there were.
  std::uint32_t restarts = 0;
};

/// Takes one more event. `created` begins a history anew, since a CID may have had another VM
/// before; a number that the history has already is left.
void add(vm_history& history, const vm_event& event);

/// Whether it is of the VM's state, and sent to late subscribers.
bool is_state_event(vm_event_kind kind) noexcept;

/// Whether a life has at most one of the kind, so that it is not told again.
bool is_told_once(vm_event_kind kind) noexcept;

template <class Inspector>
auto inspect(Inspector& f, vm_history& x) {
  return f(x.seq, x.told, x.last_state_event, x.suspended, x.restarts);
}

} // namespace crosvisor
