// SPDX-License-Identifier: Apache-2.0
// What VMs tell, and to whom the door tells it on.
#include "crosvisor/service/door/doorkeeper.hpp"

#include "crosvisor/io/logging.hpp"

#include <limits>

namespace crosvisor::door {

namespace {

/// What a VM whose supervisor is lost can't say itself.
vm_event last_words_for(const vm_entry& vm) {
  auto event = vm.last_state;
  event.seq = vm.last_seq + 1;
  event.time_ms = unix_time_ms();
  event.cid = vm.id.cid;
  event.name = vm.id.name;
  event.kind = vm_event_kind::dead;
  event.state = vm_state::dead;
  event.reason = death_reason::infrastructure_error;
  event.detail = "the service lost the VM's supervisor";
  return event;
}

/// Whether a kept event is of the very VM, and not of one that had its CID before.
bool is_of(const io::kept_event& kept, const vm_identity& vm) {
  return kept.event.cid == vm.cid && kept.created_ms == vm.created_ms;
}

} // namespace

caf::error doorkeeper_state::add_subscriber(vm_entry& vm, const permit& by) {
  if (vm.is_dead() || vm.subscribers.has(by.address()))
    return {};
  if (auto full = limits_.subscribers.check(vm.id.cid, vm.subscribers.size()))
    return full;
  auto counted = limits_.subscriptions.take(by.who());
  if (!counted)
    return counted.error();
  monitors_.add(by.address());
  vm.subscribers.add(by.sender(), by.who(), std::move(*counted));
  return {};
}

caf::result<vm_info> doorkeeper_state::subscribe(const vm_permit& by) {
  auto& vm = by.vm();
  if (auto full = add_subscriber(vm, by))
    return full;
  if (vm.last_state.seq > 0)
    self_->send(caf::actor_cast<subscriber_actor>(by.sender()), vm.last_state);
  return get_state(by);
}

caf::result<caf::ok_atom> doorkeeper_state::subscribe_after(const log_permit& by,
                                                            std::uint64_t after) {
  const auto& id = *by.vm(); // enter_told() names one.
  auto* vm = vms_.find(id.cid);
  if (vm && vm->id.serial == id.serial)
    if (auto full = add_subscriber(*vm, by))
      return full;
  for (const auto& kept : told_.events)
    if (is_of(kept, id) && kept.event.number > after)
      self_->send(caf::actor_cast<subscriber_actor>(by.sender()), kept.event);
  return caf::ok_atom::value;
}

void doorkeeper_state::unsubscribe(const permit& by, vm_cid cid) {
  auto* vm = vms_.find(cid);
  if (vm && vm->subscribers.remove(by.address()))
    monitors_.remove(by.address());
}

caf::result<std::uint64_t> doorkeeper_state::watch(const permit& by, std::uint64_t after) {
  if (watchers_.has(by.address()))
    return told_.last_number;
  auto counted = limits_.subscriptions.take(by.who());
  if (!counted)
    return counted.error();
  monitors_.add(by.address());
  watchers_.add(by.sender(), by.who(), std::move(*counted));
  // Whoever has a number that was never reached has it from a journal that is lost.
  if (after > told_.last_number && after != std::numeric_limits<std::uint64_t>::max())
    after = 0;
  for (const auto& [event, created, owner] : told_.events)
    if (event.number > after)
      self_->send(caf::actor_cast<subscriber_actor>(by.sender()), event);
  return told_.last_number;
}

void doorkeeper_state::unwatch(const permit& by) {
  if (watchers_.remove(by.address()))
    monitors_.remove(by.address());
}

void doorkeeper_state::hear(const vm_event& event) {
  auto* vm = vms_.find(event.cid);
  // A supervisor repeats its last state to whoever subscribes, which an earlier door may have told.
  if (vm && self_->current_sender() == caf::actor_cast<caf::strong_actor_ptr>(vm->handle)
      && event.seq > vm->last_seq)
    publish(*vm, event);
}

void doorkeeper_state::keep(vm_event& event, const vm_identity& of) {
  event.number = told_.last_number + 1;
  io::kept_event kept{event, of.created_ms, of.users.front()};
  if (options_.journal)
    options_.journal->append(kept);
  if (told_.events.size() >= options_.bounds.events_kept)
    limits_.events_kept.count_refusal();
  told_.take(std::move(kept), options_.bounds.events_kept);
}

void doorkeeper_state::publish(vm_entry& vm, vm_event event) {
  keep(event, vm.id); // Before anybody hears of it.
  vm.last_seq = event.seq;
  count_restart(vm, event.kind);
  counts_.take(event, vm.measured);
  if (is_state_event(event.kind))
    vm.last_state = event;
  auto tell = [&](const subscriber_actor& to) { self_->send(to, event); };
  stop_monitoring(watchers_.each(
    [&](const caller& who) { return gate_->still(door_request::watch, who); }, tell));
  stop_monitoring(vm.subscribers.each(
    [&](const caller& who) { return gate_->still(door_request::subscribe, who, vm.id); }, tell));
  if (vm.is_dead())
    bury(vm);
}

void doorkeeper_state::bury(vm_entry& vm) {
  stop_monitoring(vm.references.clear());
  stop_monitoring(vm.subscribers.clear());
  answer_drained();
}

void doorkeeper_state::forget(vm_entry& vm) {
  auto cid = vm.id.cid;
  if (!vm.is_dead() && !is_leaving())
    publish(vm, last_words_for(vm));
  for (const auto& [who, reader] : vm.readers)
    monitors_.remove(who);
  words_.forget(cid);
  vms_.forget(cid);
  answer_drained();
}

void doorkeeper_state::stop_monitoring(const std::vector<caf::actor_addr>& all) {
  for (const auto& who : all)
    monitors_.remove(who);
}

} // namespace crosvisor::door
