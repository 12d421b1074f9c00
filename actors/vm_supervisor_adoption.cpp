// SPDX-License-Identifier: Apache-2.0
// How a supervisor takes a VM back from its keeper, and how it leaves one there.
#include "crosvisor/actors/vm_supervisor.hpp"

#include <caf/send.hpp>

#include <utility>

namespace crosvisor::actors {

vm_info describe_kept_vm(const io::kept_vm& kept, const vm_record& record) {
  auto info = describe_new_vm(kept.cid, kept.config, kept.choice);
  info.owner = record.owner;
  info.created_ms = record.created_ms;
  info.restarts = record.restarts;
  return info;
}

void vm_supervisor_state::adopt(vm_past past) {
  replaying_ = true;
  feed_.resume(past.history, info_.restarts);
  info_.suspended = past.history.suspended;
  ever_started_ = info_.restarts > 0;
  if (!plan_.decode(past.record.plan, self_->clock().now(), unix_time_ms()))
    plan_.begin(self_->clock().now());
  held_ = past.record.ending;
  if (held_) {
    cause_ = held_->cause;
    stopped_ = cause_ == end_cause::stop;
    fault_ = "the guest did not say in time that its payload started";
  }
  // Only a VM's first life begins with `created`.
  if (info_.restarts == 0)
    set_state(vm_state::not_started);
  phase_ = vm_phase::launching;
  begin_life();
  self_->delayed_send(self_, timeouts_.replay, synced_atom::value);
  last_ = launcher_->adopt_last(info_.cid);
  process_ = launcher_->adopt(info_.cid, streams_, report_to(self_));
  if (process_)
    return fetch_origin();
  info_.exit = {exit_kind::vanished, 0, death_reason::infrastructure_error,
                "its keeper did not give it back"};
  apply(vm_input::launch_failed);
}

void vm_supervisor_state::synced() {
  if (!std::exchange(replaying_, false))
    return;
  self_->send(registry_, info_);
  if (held_)
    go_on_ending(*std::exchange(held_, std::nullopt));
}

vm_info vm_supervisor_state::shown() const {
  auto info = info_;
  const auto& last = feed_.last_state_event();
  if (!replaying_ || last.state <= info.state)
    return info;
  info.state = last.state;
  info.payload = last.payload;
  info.reason = last.reason;
  info.exit = last.exit;
  return info;
}

void vm_supervisor_state::leave() {
  auto kept = phase_ >= vm_phase::launching && phase_ != vm_phase::reviving;
  // Between two lives a keeper has the one before, until the next one has begun.
  if (kept || process_ || last_)
    return self_->quit();
  draining_ = true;
  end({end_cause::stop, true, {}});
}

} // namespace crosvisor::actors
