// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/event_journal.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::io {

void told_events::take(kept_event kept, std::size_t most) {
  const auto& event = kept.event;
  last_number = std::max(last_number, event.number);
  if (event.kind == vm_event_kind::dead) {
    living.erase(event.cid);
  } else {
    auto& vm = living[event.cid];
    if (vm.created_ms != kept.created_ms)
      vm = {event.cid, event.name, kept.created_ms, kept.owner, {}};
    add(vm.history, event);
  }
  events.push_back(std::move(kept));
  if (events.size() > most)
    events.pop_front();
}

std::optional<told_vm> told_events::find(vm_cid cid, std::int64_t created_ms) const {
  if (auto vm = living.find(cid); vm != living.end() && vm->second.created_ms == created_ms)
    return vm->second;
  auto is_end = [&](const kept_event& kept) {
    return kept.event.cid == cid && kept.created_ms == created_ms
           && kept.event.kind == vm_event_kind::dead;
  };
  auto end = std::find_if(events.rbegin(), events.rend(), is_end);
  if (end == events.rend())
    return std::nullopt;
  told_vm vm{cid, end->event.name, created_ms, end->owner, {}};
  vm.history.seq = end->event.seq;
  vm.history.last_state_event = end->event;
  // Whatever came before its end is not told after it.
  for (auto kind = vm_event_kind::created; kind <= vm_event_kind::given_up;
       kind = static_cast<vm_event_kind>(static_cast<int>(kind) + 1))
    vm.history.told.push_back(kind);
  return vm;
}

} // namespace crosvisor::io
