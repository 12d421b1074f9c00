// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/vm_table.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::door {

bool vm_identity::is_used_by(const caller& who) const {
  return std::any_of(users.begin(), users.end(),
                     [&](const caller& user) { return same_principal(user, who); });
}

vm_entry& vm_table::add(vm_entry entry) {
  entry.id.serial = ++last_serial_;
  auto cid = entry.id.cid;
  return vms_.insert_or_assign(cid, std::move(entry)).first->second;
}

vm_entry* vm_table::find(vm_cid cid) {
  auto i = vms_.find(cid);
  return i == vms_.end() ? nullptr : &i->second;
}

vm_entry* vm_table::find_living(const vm_name& name) {
  auto i = std::find_if(vms_.begin(), vms_.end(), [&](const auto& vm) {
    return vm.second.id.name == name && !vm.second.is_dead();
  });
  return i == vms_.end() ? nullptr : &i->second;
}

vm_entry* vm_table::find(const caf::actor_addr& vm) {
  auto i = std::find_if(vms_.begin(), vms_.end(),
                        [&](const auto& entry) { return entry.second.handle.address() == vm; });
  return i == vms_.end() ? nullptr : &i->second;
}

std::vector<vm_identity> vm_table::find_all(const std::string& cid_or_name) const {
  std::vector<vm_identity> found;
  auto add_if_meant = [&](const vm_identity& id) {
    if (id.name == cid_or_name || std::to_string(id.cid) == cid_or_name)
      found.push_back(id);
  };
  for (const auto& [cid, vm] : vms_)
    add_if_meant(vm.id);
  for (const auto& id : remembered_)
    add_if_meant(id);
  std::sort(found.begin(), found.end(),
            [](const vm_identity& a, const vm_identity& b) { return a.serial > b.serial; });
  return found;
}

void vm_table::forget(vm_cid cid) {
  if (auto node = vms_.extract(cid))
    remember_as_it_is(std::move(node.mapped().id));
}

void vm_table::remember(vm_identity id) {
  id.serial = ++last_serial_;
  remember_as_it_is(std::move(id));
}

void vm_table::remember_as_it_is(vm_identity id) {
  remembered_.push_back(std::move(id));
  if (remembered_.size() > most_remembered_)
    remembered_.pop_front();
}

} // namespace crosvisor::door
