// SPDX-License-Identifier: Apache-2.0
// How a service is emptied that goes on.
#include "crosvisor/service/door/doorkeeper.hpp"

#include "crosvisor/io/logging.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace crosvisor::door {

caf::result<caf::ok_atom> doorkeeper_state::drain(caf::timespan grace) {
  draining_ = true;
  drain_grace_ = std::clamp(grace, caf::timespan::zero(), max_grace);
  log::info("door creates no VM any more and stops those that there are");
  for (const auto& [cid, vm] : vms_.all())
    stop_for_drain(vm);
  auto answer = drained_.emplace_back(self_->make_response_promise<caf::ok_atom>());
  answer_drained();
  return answer;
}

void doorkeeper_state::stop_for_drain(const vm_entry& vm) {
  if (!vm.is_dead())
    caf::anon_send(vm.handle, stop_atom::value, drain_grace_);
}

void doorkeeper_state::answer_drained() {
  const auto& all = vms_.all();
  if (!draining_
      || std::any_of(all.begin(), all.end(), [](const auto& vm) { return !vm.second.is_dead(); }))
    return;
  for (auto& answer : std::exchange(drained_, {}))
    answer.deliver(caf::ok_atom::value);
}

caf::result<caf::ok_atom> doorkeeper_state::end_drain() {
  if (std::exchange(draining_, false))
    log::info("door creates VMs again");
  for (auto& answer : std::exchange(drained_, {}))
    answer.deliver(caf::make_error(vm_errc::cancelled, "the drain was ended by a later request"));
  return caf::ok_atom::value;
}

} // namespace crosvisor::door
