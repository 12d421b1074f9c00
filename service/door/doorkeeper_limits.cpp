// SPDX-License-Identifier: Apache-2.0
// How much there is of what the door bounds.
#include "crosvisor/service/door/doorkeeper.hpp"

#include <algorithm>
#include <iterator>

namespace crosvisor::door {

namespace {

/// The most of something that any VM has.
template <class Count>
std::size_t most_of(const std::map<vm_cid, vm_entry>& vms, Count count) {
  std::size_t most = 0;
  for (const auto& [cid, vm] : vms)
    most = std::max(most, static_cast<std::size_t>(count(vm)));
  return most;
}

/// Lets go of those that do not count any more.
std::size_t recent(vm_entry& vm, std::chrono::steady_clock::time_point now,
                   const restart_limits& bounds) {
  auto& times = vm.restarts;
  while (!times.empty() && now - times.front() >= bounds.window)
    times.pop_front();
  return times.size();
}

} // namespace

void doorkeeper_state::count_restart(vm_entry& vm, vm_event_kind what) {
  auto now = self_->clock().now();
  if (what == vm_event_kind::given_up)
    ++given_up_;
  if (what != vm_event_kind::restarting)
    return;
  vm.restarts.push_back(now);
  recent(vm, now, options_.restarts);
}

caf::result<std::vector<limit_info>> doorkeeper_state::get_limits(const permit& by) {
  std::vector<limit_info> all;
  auto of_all = gate_->still(door_request::get_all_limits, by.who());
  if (of_all)
    show_limits(all);
  else
    all = limits_.of(by.who());
  if (options_.others) {
    auto others = options_.others(of_all ? nullptr : &by.who());
    std::move(others.begin(), others.end(), std::back_inserter(all));
  }
  return all;
}

void doorkeeper_state::show_limits(std::vector<limit_info>& to) {
  const auto& vms = vms_.all();
  auto now = self_->clock().now();
  for (const auto* one :
       {&limits_.vms, &limits_.requests, &limits_.subscriptions, &limits_.streams, &limits_.images})
    one->show(to);
  auto add = [&](const vm_bound& bound, auto count) {
    to.push_back(bound.info(most_of(vms, count)));
  };
  add(limits_.references, [](const vm_entry& vm) { return vm.references.most(); });
  add(limits_.subscribers, [](const vm_entry& vm) { return vm.subscribers.size(); });
  add(limits_.output_readers, [](const vm_entry& vm) { return vm.readers.size(); });
  add(limits_.connects, [](const vm_entry& vm) { return vm.connects(); });
  add(limits_.users, [](const vm_entry& vm) { return vm.id.users.size(); });
  to.push_back(limits_.passes.info(words_.most(now)));
  to.push_back(limits_.events_kept.info(told_.events.size()));
  std::size_t restarts = 0;
  for (auto& [cid, vm] : vms_.all())
    restarts = std::max(restarts, recent(vm, now, options_.restarts));
  to.push_back({"restarts", "restarts.most", restarts, options_.restarts.most, given_up_});
  to.push_back({"log_reads", "", log_reads_.size(), io::max_waiting_log_reads, refused_log_reads_});
}

} // namespace crosvisor::door
