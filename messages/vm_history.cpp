// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/vm_history.hpp"

#include <algorithm>

namespace crosvisor {

void add(vm_history& history, const vm_event& event) {
  if (event.kind == vm_event_kind::created)
    history = {};
  if (event.seq <= history.seq)
    return;
  history.seq = event.seq;
  if (is_state_event(event.kind))
    history.last_state_event = event;
  switch (event.kind) {
    case vm_event_kind::suspended: history.suspended = true; break;
    case vm_event_kind::resumed: history.suspended = false; break;
    case vm_event_kind::restarting:
      history.told.clear();
      history.suspended = false;
      ++history.restarts;
      return;
    default: break;
  }
  if (std::find(history.told.begin(), history.told.end(), event.kind) == history.told.end())
    history.told.push_back(event.kind);
}

bool is_state_event(vm_event_kind kind) noexcept {
  using enum vm_event_kind;
  switch (kind) {
    case created:
    case starting:
    case started:
    case ready:
    case finished:
    case dead:
    case restarting: return true;
    case suspended:
    case resumed:
    case stopping:
    case payload_started:
    case payload_error:
    case given_up: return false;
  }
  return false;
}

bool is_told_once(vm_event_kind kind) noexcept {
  using enum vm_event_kind;
  return kind != suspended && kind != resumed && kind != stopping;
}

} // namespace crosvisor
