// SPDX-License-Identifier: Apache-2.0
// What VMs tell, and to whom the door tells it on.
#include "crosvisor/service/door/doorkeeper.hpp"

#include "crosvisor/io/logging.hpp"

#include <algorithm>

namespace crosvisor::door {

namespace {

bool is_of_the_state(vm_event_kind kind) {
  switch (kind) {
    case vm_event_kind::created:
    case vm_event_kind::starting:
    case vm_event_kind::started:
    case vm_event_kind::ready:
    case vm_event_kind::finished:
    case vm_event_kind::dead: return true;
    default: return false;
  }
}

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

} // namespace

caf::result<vm_info> doorkeeper_state::subscribe(const vm_permit& by) {
  auto& vm = by.vm();
  auto to = caf::actor_cast<subscriber_actor>(by.sender());
  if (!vm.is_dead() && !vm.subscribers.has(by.address())) {
    auto counted = subscription_quota_.take(by.who());
    if (!counted)
      return too_many(by.who(), subscription_quota_.limit(),
                      "subscriptions, as many as limits.subscriptions_per_user allows,");
    monitors_.add(by.address());
    vm.subscribers.add(by.sender(), by.who(), std::move(counted));
  }
  if (vm.last_state.seq > 0)
    self_->send(to, vm.last_state);
  return get_state(by);
}

void doorkeeper_state::unsubscribe(const permit& by, vm_cid cid) {
  auto* vm = vms_.find(cid);
  if (vm && vm->subscribers.remove(by.address()))
    monitors_.remove(by.address());
}

caf::result<caf::ok_atom> doorkeeper_state::watch(const permit& by, bool with_history) {
  if (watchers_.has(by.address()))
    return caf::ok_atom::value;
  auto counted = subscription_quota_.take(by.who());
  if (!counted)
    return too_many(by.who(), subscription_quota_.limit(),
                    "subscriptions, as many as limits.subscriptions_per_user allows,");
  monitors_.add(by.address());
  watchers_.add(by.sender(), by.who(), std::move(counted));
  if (with_history)
    for (const auto& event : history_)
      self_->send(caf::actor_cast<subscriber_actor>(by.sender()), event);
  return caf::ok_atom::value;
}

void doorkeeper_state::unwatch(const permit& by) {
  if (watchers_.remove(by.address()))
    monitors_.remove(by.address());
}

void doorkeeper_state::hear(const vm_event& event) {
  auto* vm = vms_.find(event.cid);
  if (vm && self_->current_sender() == caf::actor_cast<caf::strong_actor_ptr>(vm->handle))
    publish(*vm, event);
}

void doorkeeper_state::publish(vm_entry& vm, const vm_event& event) {
  vm.last_seq = event.seq;
  if (is_of_the_state(event.kind))
    vm.last_state = event;
  history_.push_back(event);
  if (history_.size() > options_.kept_events)
    history_.pop_front();
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
}

void doorkeeper_state::forget(vm_entry& vm) {
  auto cid = vm.id.cid;
  if (!vm.is_dead())
    publish(vm, last_words_for(vm));
  for (const auto& [who, reader] : vm.readers)
    monitors_.remove(who);
  words_.forget(cid);
  vms_.forget(cid);
}

void doorkeeper_state::stop_monitoring(const std::vector<caf::actor_addr>& all) {
  for (const auto& who : all)
    monitors_.remove(who);
}

} // namespace crosvisor::door
