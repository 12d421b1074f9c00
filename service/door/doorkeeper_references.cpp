// SPDX-License-Identifier: Apache-2.0
// Who keeps VMs alive, and who gets to use them.
#include "crosvisor/service/door/doorkeeper.hpp"

#include "crosvisor/io/logging.hpp"
#include "crosvisor/service/door/door_notes.hpp"

#include <caf/send.hpp>

namespace crosvisor::door {

namespace {

caf::error dead(const char* what, vm_cid cid) {
  return caf::make_error(vm_errc::wrong_state, std::string{"can't "} + what + " VM "
                                                 + std::to_string(cid) + ": it is dead");
}

} // namespace

// -- references ---------------------------------------------------------------

caf::result<vm_info> doorkeeper_state::attach(const vm_permit& by) {
  auto& vm = by.vm();
  if (vm.is_dead())
    return dead("attach to", vm.id.cid);
  if (!vm.references.has(by.address())) {
    if (auto full = limits_.references.check(vm.id.cid, by.who(), vm.references.count(by.who())))
      return full;
    monitors_.add(by.address());
    vm.references.attach(by.address(), by.who());
    note(vm);
  }
  return get_state(by);
}

void doorkeeper_state::detach(const permit& by, vm_cid cid) {
  auto* vm = vms_.find(cid);
  if (!vm || !vm->references.has(by.address()))
    return;
  monitors_.remove(by.address());
  leave(*vm, by.address(), false);
}

caf::result<vm_info> doorkeeper_state::hold(const vm_permit& by) {
  if (by.vm().is_dead())
    return dead("hold", by.vm().id.cid);
  by.vm().references.hold();
  note(by.vm());
  return get_state(by);
}

caf::result<vm_info> doorkeeper_state::drop(const vm_permit& by) {
  by.vm().references.drop();
  note(by.vm());
  stop_if_unwanted(by.vm());
  return get_state(by);
}

void doorkeeper_state::leave(vm_entry& vm, const caf::actor_addr& who, bool lost) {
  if (is_leaving())
    return;
  if (!lost || options_.reference_grace <= caf::timespan::zero()) {
    if (vm.references.detach(who)) {
      note(vm);
      stop_if_unwanted(vm);
    }
    return;
  }
  auto number = ++last_number_;
  if (vm.references.lose(who, number))
    keep_lost_reference(vm.id.cid, number);
}

void doorkeeper_state::keep_lost_reference(vm_cid cid, std::uint64_t number) {
  log::info(
    "vm {} keeps the reference of a lost connection for {} ms", cid,
    std::chrono::duration_cast<std::chrono::milliseconds>(options_.reference_grace).count());
  self_->delayed_send(self_, options_.reference_grace, expired_atom::value, cid, number);
}

void doorkeeper_state::note(vm_entry& vm) {
  auto put = [&](const char* key, std::string value, std::string& noted) {
    if (value == noted)
      return;
    noted = value;
    self_->send(vm.handle, note_atom::value, std::string{key}, std::move(value));
  };
  put(references_note, encode({vm.references.is_held(), vm.references.principals()}),
      vm.noted_references);
  put(users_note, encode(vm.id.users), vm.noted_users);
}

void doorkeeper_state::lost_expired(vm_cid cid, std::uint64_t number) {
  auto* vm = is_own_message() ? vms_.find(cid) : nullptr;
  if (!vm)
    return;
  vm->references.expire(number);
  note(*vm);
  stop_if_unwanted(*vm);
}

void doorkeeper_state::stop_if_unwanted(vm_entry& vm) {
  if (vm.unwanted || vm.is_dead() || !vm.references.empty() || is_leaving())
    return;
  vm.unwanted = true;
  log::info("vm {} has no reference left and is being stopped", vm.id.cid);
  caf::anon_send(vm.handle, stop_atom::value, options_.stop_grace);
}

// -- passing ------------------------------------------------------------------

caf::result<ticket> doorkeeper_state::pass(const vm_permit& by) {
  auto cid = by.vm().id.cid;
  auto now = self_->clock().now();
  if (auto full = limits_.passes.check(cid, words_.count(cid, now)))
    return full;
  auto word = words_.make(cid, now);
  if (word)
    return std::move(*word);
  return caf::make_error(vm_errc::io_failed, word.why().what);
}

caf::result<vm_info> doorkeeper_state::take_passed(const permit& by, const ticket& word) {
  auto cid = words_.take(word, self_->clock().now());
  auto* vm = cid ? vms_.find(*cid) : nullptr;
  if (!vm)
    return caf::make_error(vm_errc::no_such_ticket,
                           "the word passes no VM: it was never given, was said before, or is "
                           "too old");
  auto& users = vm->id.users;
  if (!vm->id.is_used_by(by.who())) {
    if (auto full = limits_.users.check(vm->id.cid, users.size()))
      return full;
    users.push_back(by.who());
    note(*vm);
    log::info("vm {} is passed to {}", vm->id.cid, shown(by.who()));
  }
  return ask<vm_info>(by, vm->handle, no_such_vm(vm->id.cid), options_.timeouts.state,
                      caf::get_atom::value, state_atom::value);
}

} // namespace crosvisor::door
