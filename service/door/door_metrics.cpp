// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/door_metrics.hpp"

namespace crosvisor::door {

namespace {

metric_family counter(const char* name, const char* help) {
  return {name, help, metric_kind::counter, {}};
}

/// Every value of an enum that has a name, so that each has its row from the beginning.
template <class Enum>
std::vector<Enum> named_values(const char* nameless) {
  std::vector<Enum> all;
  for (int i = 0; i < 32; ++i)
    if (auto value = static_cast<Enum>(i); to_string(value) != nameless)
      all.push_back(value);
  return all;
}

template <class Map, class Key>
double count_of(const Map& counts, const Key& key) {
  auto found = counts.find(key);
  return found == counts.end() ? 0 : static_cast<double>(found->second);
}

} // namespace

void door_metrics::count(door_request request, bool denied) noexcept {
  auto& counts = requests_[static_cast<std::size_t>(request)];
  ++counts.all;
  if (denied)
    ++counts.denied;
}

void door_metrics::take(const vm_event& event, measured_start& of) {
  ++events_[event.kind];
  auto took = static_cast<double>(event.time_us - of.began_us) / 1e6;
  switch (event.kind) {
    case vm_event_kind::starting: of.began_us = event.time_us; return;
    case vm_event_kind::started:
      if (of.began_us > 0)
        starts_[{of.vmm, of.accel}].started.add(took);
      return;
    case vm_event_kind::ready:
      if (of.began_us > 0)
        starts_[{of.vmm, of.accel}].ready.add(took);
      return;
    case vm_event_kind::dead: ++deaths_[event.reason]; return;
    default: return;
  }
}

void door_metrics::show(std::vector<metric_family>& to) const {
  auto started_vms = counter("crosvisor_vm_starts_total", "Starts of VMs, each life's.");
  add_sample(started_vms, {}, count_of(events_, vm_event_kind::starting));
  auto restarts = counter("crosvisor_vm_restarts_total",
                          "Lives that ended and are followed by another, by the VM's policy.");
  add_sample(restarts, {}, count_of(events_, vm_event_kind::restarting));
  auto deaths = counter("crosvisor_vm_deaths_total", "VMs that have died, by the reason.");
  for (auto reason : named_values<death_reason>("invalid"))
    add_sample(deaths, {{"reason", to_string(reason)}}, count_of(deaths_, reason));
  metric_family started{"crosvisor_vm_started_seconds",
                        "From `starting` until the VMM ran the guest.",
                        metric_kind::histogram,
                        {}};
  metric_family ready{"crosvisor_vm_ready_seconds",
                      "From `starting` until the payload was ready.",
                      metric_kind::histogram,
                      {}};
  for (const auto& [kind, times] : starts_) {
    std::vector<metric_label> labels{{"vmm", to_string(kind.first)},
                                     {"accel", to_string(kind.second)}};
    started.samples.push_back(times.started.sample(labels));
    ready.samples.push_back(times.ready.sample(labels));
  }
  auto events = counter("crosvisor_events_total", "Events that were told.");
  for (auto kind : named_values<vm_event_kind>("invalid"))
    add_sample(events, {{"event", to_string(kind)}}, count_of(events_, kind));
  auto all_requests = counter("crosvisor_requests_total", "Requests of clients.");
  auto denied = counter("crosvisor_requests_denied_total", "Requests that were denied.");
  for (const auto& rule : door_rules()) {
    const auto& counts = requests_[static_cast<std::size_t>(rule.request)];
    std::vector<metric_label> labels{{"request", to_string(rule.request)}};
    add_sample(all_requests, labels, static_cast<double>(counts.all));
    add_sample(denied, std::move(labels), static_cast<double>(counts.denied));
  }
  for (auto* family :
       {&started_vms, &restarts, &deaths, &started, &ready, &events, &all_requests, &denied})
    to.push_back(std::move(*family));
}

std::vector<metric_family> metrics_of(const std::vector<limit_info>& limits) {
  metric_family used{"crosvisor_limit_used",
                     "What is in use of a bound; of one for each user or VM, the most of any.",
                     metric_kind::gauge,
                     {}};
  metric_family most{"crosvisor_limit_max", "The bound.", metric_kind::gauge, {}};
  auto refused = counter("crosvisor_limit_refusals_total", "How often the bound was reached.");
  for (const auto& limit : limits) {
    std::vector<metric_label> labels{{"limit", limit.name}};
    add_sample(used, labels, static_cast<double>(limit.used));
    add_sample(most, labels, static_cast<double>(limit.limit));
    add_sample(refused, std::move(labels), static_cast<double>(limit.refused));
  }
  return {std::move(used), std::move(most), std::move(refused)};
}

} // namespace crosvisor::door
