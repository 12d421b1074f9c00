// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/metrics/process_metrics.hpp"

#include "crosvisor/io/keeper/keeper_launch.hpp"
#include "crosvisor/io/metrics/process_usage.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace crosvisor::io {

namespace {

/// As much of a program's name as the kernel keeps.
std::string_view kept_name(std::string_view program) {
  return program.substr(0, 15);
}

/// What a process beside a VMM does; few words, since each is a row of its own.
const char* role_of(const process_usage& usage) {
  if (usage.name == kept_name("crosvisor-vsock"))
    return "vsock_device";
  return usage.name == "nbdkit" ? "disk_server" : "other";
}

struct sum {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;

  void add(const process_usage& usage) {
    cpu_seconds += usage.cpu_seconds;
    resident_bytes += usage.resident_bytes;
  }
};

/// By role. Two disk servers of a VM are one row.
std::map<std::string, sum> measure(const vm_info& vm) {
  std::map<std::string, sum> roles;
  auto vmm = vm.vmm_pid > 0 ? read_process_usage(vm.vmm_pid) : std::nullopt;
  if (!vmm)
    return roles;
  auto own = vmm->parent == ::getpid();
  auto keeper = own ? std::nullopt : read_process_usage(vmm->parent);
  auto kept = keeper && keeper->name == kept_name(keeper_program_name);
  // Else the number is another process's by now.
  if (!own && !kept)
    return roles;
  roles["vmm"].add(*vmm);
  if (own)
    return roles;
  roles["keeper"].add(*keeper);
  for (auto child : children_of(vmm->parent))
    if (child != vm.vmm_pid)
      if (auto usage = read_process_usage(child); usage && usage->parent == vmm->parent)
        roles[role_of(*usage)].add(*usage);
  return roles;
}

metric_family gauge(const char* name, const char* help) {
  return {name, help, metric_kind::gauge, {}};
}

metric_family counter(const char* name, const char* help) {
  return {name, help, metric_kind::counter, {}};
}

void measure_self(std::vector<metric_family>& to) {
  auto usage = read_process_usage(::getpid()).value_or(process_usage{});
  auto add = [&](metric_family family, double value) {
    add_sample(family, {}, value);
    to.push_back(std::move(family));
  };
  add(gauge("crosvisor_process_resident_memory_bytes", "The service's memory that is resident."),
      static_cast<double>(usage.resident_bytes));
  add(counter("crosvisor_process_cpu_seconds_total", "The service's processor time."),
      usage.cpu_seconds);
  add(gauge("crosvisor_process_threads", "The service's threads."),
      static_cast<double>(usage.threads));
  add(gauge("crosvisor_process_open_fds", "The service's open descriptors."),
      static_cast<double>(count_own_descriptors()));
  if (auto booted = boot_time_seconds())
    add(gauge("crosvisor_process_start_time_seconds",
              "When the service began, in seconds since 1970."),
        *booted + usage.started_seconds);
}

} // namespace

std::vector<metric_family> measure_processes(const std::vector<vm_info>& vms) {
  auto build = gauge("crosvisor_build_info", "Always 1; which version this is.");
  add_sample(build, {{"version", CROSVISOR_VERSION}}, 1);
  std::vector<metric_family> all{std::move(build)};
  measure_self(all);
  auto memory = gauge("crosvisor_vm_process_resident_memory_bytes",
                      "Resident memory of a VM's processes, by what they are.");
  auto cpu = counter("crosvisor_vm_process_cpu_seconds_total",
                     "Processor time of a VM's processes that are there, by what they are.");
  for (const auto& vm : vms)
    for (const auto& [role, used] : measure(vm)) {
      std::vector<metric_label> labels{
        {"cid", std::to_string(vm.cid)}, {"name", vm.name}, {"process", role}};
      add_sample(memory, labels, static_cast<double>(used.resident_bytes));
      add_sample(cpu, std::move(labels), used.cpu_seconds);
    }
  all.push_back(std::move(memory));
  all.push_back(std::move(cpu));
  return all;
}

} // namespace crosvisor::io
