// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/gate.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <algorithm>

namespace crosvisor::door {

namespace {

constexpr std::size_t max_shown_subject = 256;

caf::error denied(std::string why) {
  return caf::make_error(vm_errc::denied, std::move(why));
}

caf::error lacks(const caller& who, permission what) {
  return denied(shown(who) + " lacks \"" + to_string(what) + '"');
}

caf::error is_not_root(const caller& who, door_request request) {
  return denied(to_string(request) + " is about everybody's VMs, and root's alone; this is "
                + shown(who));
}

/// One caller against one rule.
struct judgement {
  const door_rule& rule;
  const permission_grants& grants;
  const caller& who;

  bool sees_all() const {
    return may_do_all(who) || (rule.or_debug && grants.allows(who, permission::debug));
  }

  /// What they lack, whichever VM it is about.
  std::optional<permission> missing() const {
    if (!grants.knows(who))
      return permission::manage;
    if (sees_all())
      return std::nullopt;
    auto i = std::find_if(rule.needs.begin(), rule.needs.end(),
                          [&](permission what) { return !grants.allows(who, what); });
    return i == rule.needs.end() ? std::nullopt : std::optional{*i};
  }

  bool may_use(const vm_identity& vm) const { return sees_all() || vm.is_used_by(who); }
};

} // namespace

std::string shown(const caller& who) {
  return io::printable(to_string(who), max_shown_subject);
}

caf::error no_such_vm(vm_cid cid) {
  return caf::make_error(vm_errc::no_such_vm, "no VM with CID " + std::to_string(cid));
}

caf::error no_such_vm(const vm_name& name) {
  return caf::make_error(vm_errc::no_such_vm, "no living VM with the name " + io::in_quotes(name));
}

caf::error no_such_log(const std::string& cid_or_name) {
  return caf::make_error(vm_errc::no_such_vm, "no logs of a VM " + io::in_quotes(cid_or_name));
}

caf::expected<caller> gate::caller_of(const caf::strong_actor_ptr& sender) const {
  if (sender)
    if (auto who = callers_->find(sender))
      return std::move(*who);
  return denied("nobody knows who sent this");
}

caf::expected<permit> gate::enter(door_request request, const caf::strong_actor_ptr& sender) const {
  auto who = caller_of(sender);
  if (!who)
    return who.error();
  const auto& rule = rule_of(request);
  if (rule.of_ones_own)
    return denied(to_string(request) + " is about one VM");
  auto grants = grants_->get();
  if (auto missing = judgement{rule, *grants, *who}.missing())
    return lacks(*who, *missing);
  if (rule.of_root && !may_do_all(*who))
    return is_not_root(*who, request);
  return permit{std::move(*who), sender};
}

caf::expected<vm_permit> gate::enter(door_request request, const caf::strong_actor_ptr& sender,
                                     vm_cid cid) const {
  return enter(request, sender, vms_.find(cid), no_such_vm(cid));
}

caf::expected<vm_permit> gate::enter(door_request request, const caf::strong_actor_ptr& sender,
                                     const vm_name& name) const {
  return enter(request, sender, vms_.find_living(name), no_such_vm(name));
}

caf::expected<vm_permit> gate::enter(door_request request, const caf::strong_actor_ptr& sender,
                                     vm_entry* vm, caf::error otherwise) const {
  auto who = caller_of(sender);
  if (!who)
    return who.error();
  const auto& rule = rule_of(request);
  if (!rule.of_ones_own)
    return denied(to_string(request) + " is about no VM");
  auto grants = grants_->get();
  judgement judge{rule, *grants, *who};
  if (auto missing = judge.missing())
    return lacks(*who, *missing);
  if (!vm)
    return otherwise;
  if (judge.may_use(vm->id))
    return vm_permit{permit{std::move(*who), sender}, *vm};
  // Who sees every VM may hear that it is there.
  if (grants->allows(*who, permission::debug))
    return denied(shown(*who) + " may not " + to_string(request) + " VM "
                  + std::to_string(vm->id.cid) + ", which is " + shown(vm->id.users.front())
                  + "'s");
  return otherwise;
}

caf::expected<log_permit> gate::enter_logs(const caf::strong_actor_ptr& sender,
                                           const std::string& vm) const {
  auto who = caller_of(sender);
  if (!who)
    return who.error();
  auto grants = grants_->get();
  judgement judge{rule_of(door_request::read_log), *grants, *who};
  if (auto missing = judge.missing())
    return lacks(*who, *missing);
  if (judge.sees_all())
    return log_permit{permit{std::move(*who), sender}, std::nullopt};
  for (auto& known : vms_.find_all(vm))
    if (judge.may_use(known))
      return log_permit{permit{std::move(*who), sender}, std::move(known)};
  return no_such_log(vm);
}

caf::expected<log_permit> gate::enter_told(const caf::strong_actor_ptr& sender, vm_cid cid) const {
  auto who = caller_of(sender);
  if (!who)
    return who.error();
  auto grants = grants_->get();
  judgement judge{rule_of(door_request::subscribe_after), *grants, *who};
  if (auto missing = judge.missing())
    return lacks(*who, *missing);
  for (auto& known : vms_.find_all(std::to_string(cid)))
    if (known.cid == cid && judge.may_use(known))
      return log_permit{permit{std::move(*who), sender}, std::move(known)};
  return no_such_vm(cid);
}

bool gate::still(door_request request, const caller& who) const {
  auto grants = grants_->get();
  return !judgement{rule_of(request), *grants, who}.missing();
}

bool gate::still(door_request request, const caller& who, const vm_identity& vm) const {
  auto grants = grants_->get();
  judgement judge{rule_of(request), *grants, who};
  return !judge.missing() && judge.may_use(vm);
}

} // namespace crosvisor::door
