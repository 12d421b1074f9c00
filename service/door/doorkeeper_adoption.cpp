// SPDX-License-Identifier: Apache-2.0
// What a door takes over from one before it: its VMs, and what it had told of them.
#include "crosvisor/service/door/door_notes.hpp"
#include "crosvisor/service/door/doorkeeper.hpp"

#include "crosvisor/io/logged_events.hpp"

#include <utility>

namespace crosvisor::door {

namespace {

/// What is said of a VM that nobody has any more.
vm_event last_words_for(const io::told_vm& vm) {
  vm_event event;
  event.seq = vm.history.seq + 1;
  event.time_ms = unix_time_ms();
  event.cid = vm.cid;
  event.name = vm.name;
  event.kind = vm_event_kind::dead;
  event.state = vm_state::dead;
  event.reason = death_reason::infrastructure_error;
  event.payload = vm.history.last_state_event.payload;
  auto was = vm.history.last_state_event.state;
  event.detail = was == vm_state::not_started || was == vm_state::starting
                   ? "the service ended before the VM was started"
                   : "nothing was left of the VM when the service began again";
  return event;
}

} // namespace

void doorkeeper_state::adopt(const std::vector<adopted_vm>& all) {
  std::set<vm_key> there;
  for (const auto& vm : all)
    there.emplace(vm.info.cid, vm.info.created_ms);
  bury_missing(there);
  // Before those that are there, which are newer.
  remember_forgotten(there);
  for (const auto& vm : all)
    adopt(vm);
}

void doorkeeper_state::adopt(const adopted_vm& kept) {
  const auto& info = kept.info;
  auto users = decode_users(kept.notes);
  if (!users || users->empty())
    users.emplace({info.owner});
  auto& entry = vms_.add({{info.cid, info.name, std::move(*users), info.created_ms},
                          kept.vm,
                          limits_.vms.count(info.owner),
                          {info.vmm, info.accel}});
  if (auto told = told_.find(info.cid, info.created_ms)) {
    entry.last_seq = told->history.seq;
    entry.last_state = told->history.last_state_event;
  }
  self_->monitor(kept.vm);
  self_->request(kept.vm, options_.timeouts.state, caf::subscribe_atom::value)
    .then([](const vm_info&) {}, [](const caf::error&) {});
  if (!entry.is_dead())
    adopt_references(entry, kept.notes);
}

/// Whoever had one may be about to return.
void doorkeeper_state::adopt_references(vm_entry& vm, const io::vm_notes& notes) {
  auto noted = decode_references(notes).value_or(noted_references{false, {vm.id.users.front()}});
  if (noted.held)
    vm.references.hold();
  if (options_.reference_grace > caf::timespan::zero())
    for (const auto& who : noted.of) {
      auto number = ++last_number_;
      vm.references.add_lost(who, number);
      keep_lost_reference(vm.id.cid, number);
    }
  note(vm);
  stop_if_unwanted(vm);
}

void doorkeeper_state::bury_missing(const std::set<vm_key>& there) {
  auto living = told_.living;
  for (const auto& [cid, told] : living) {
    if (there.contains({cid, told.created_ms})
        || (options_.is_left_alone && options_.is_left_alone(cid)))
      continue;
    auto event = last_words_for(told);
    log::event(log::logged_event::vm_lost, {cid, told.name}, "vm {} is lost: {}", cid,
               event.detail);
    keep(event, {cid, told.name, {told.owner}, told.created_ms});
    measured_start none;
    counts_.take(event, none);
  }
}

/// Those of whom there are still events, the oldest first.
void doorkeeper_state::remember_forgotten(std::set<vm_key> known) {
  for (const auto& [event, created_ms, owner] : told_.events)
    if (known.emplace(event.cid, created_ms).second)
      vms_.remember({event.cid, event.name, {owner}, created_ms});
}

} // namespace crosvisor::door
