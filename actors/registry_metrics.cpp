// SPDX-License-Identifier: Apache-2.0
// What the registry has counted.
#include "crosvisor/actors/registry.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::actors {

metric_family registry_state::count_vms() const {
  metric_family vms{"crosvisor_vms",
                    "VMs by their state, dead ones that are not forgotten included.",
                    metric_kind::gauge,
                    {}};
  for (auto state : {vm_state::not_started, vm_state::starting, vm_state::started, vm_state::ready,
                     vm_state::finished, vm_state::dead}) {
    auto count = std::count_if(vms_.begin(), vms_.end(),
                               [&](const auto& vm) { return vm.second.info.state == state; });
    add_sample(vms, {{"state", to_string(state)}}, static_cast<double>(count));
  }
  return vms;
}

metric_family registry_state::count_connections() const {
  metric_family guests{"crosvisor_guest_connections_total",
                       "Connections that guests have opened to ports of the host.",
                       metric_kind::counter,
                       {}};
  for (const auto* port : {"output", "status", "other"})
    for (auto taken : {true, false}) {
      auto count = connections_.find({port, taken});
      add_sample(guests, {{"port", port}, {"result", taken ? "taken" : "closed"}},
                 count == connections_.end() ? 0 : static_cast<double>(count->second));
    }
  return guests;
}

std::vector<metric_family> registry_state::metrics() const {
  metric_family suspended{
    "crosvisor_vms_suspended", "VMs that are suspended.", metric_kind::gauge, {}};
  auto halted = std::count_if(vms_.begin(), vms_.end(),
                              [](const auto& vm) { return vm.second.info.suspended; });
  add_sample(suspended, {}, static_cast<double>(halted));
  metric_family adopted{"crosvisor_vms_adopted_total",
                        "VMs that were taken back from their keepers.",
                        metric_kind::counter,
                        {}};
  add_sample(adopted, {}, static_cast<double>(adopted_count_));
  metric_family cids{"crosvisor_cids", "CIDs of the configured range.", metric_kind::gauge, {}};
  auto free = pool_->available();
  std::size_t all = std::size_t{pool_->range().last} - pool_->range().first + 1;
  add_sample(cids, {{"use", "free"}}, static_cast<double>(free));
  add_sample(cids, {{"use", "taken"}}, static_cast<double>(all - free));
  return {count_vms(), std::move(suspended), std::move(adopted), std::move(cids),
          count_connections()};
}

} // namespace crosvisor::actors
