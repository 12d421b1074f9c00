// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_options.hpp"

#include "crosvisor/actors/vm_record.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/service/transport/transport.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace crosvisor {

namespace {

/// Root's daemon never runs a VM as root, but where its configuration says so.
io::confinement_options confinement_of(const daemon_config& config) {
  io::confinement_options confined;
  if (::geteuid() == 0 && config.first_vmm_uid != 0)
    confined.users = io::vmm_user_range{config.first_vmm_uid, config.cids.last};
  auto named = config.vmm_cgroup;
  if (named.empty())
    named = process_environment()("CROSVISOR_VMM_CGROUP").value_or("");
  if (!named.empty()) {
    // A service manager may have removed one in which nothing runs.
    ::mkdir(named.c_str(), 0755);
    confined.cgroup = std::move(named);
  } else if (auto cgroup = io::find_delegated_cgroup()) {
    confined.cgroup = std::move(*cgroup);
  } else {
    log::info("daemon makes no cgroups: {}", cgroup.why().what);
  }
  return confined;
}

} // namespace

embedded_service_options service_options_of(const daemon_config& config,
                                            const daemon_places& places) {
  embedded_service_options options;
  options.where = places.where;
  options.crosvm = config.crosvm;
  options.qemu = config.qemu;
  options.vsock_device = config.vsock_device;
  options.disk_plugin = config.disk_plugin;
  options.os_folder = config.os_folder;
  options.keepers = true;
  options.keeper = config.keeper;
  options.service.cids = config.cids;
  options.service.image_workers = config.image_workers;
  options.service.max_waiting_images = config.bounds.door.images;
  options.service.timeouts.max_restarts = config.bounds.restarts.most;
  options.service.timeouts.restart_window = config.bounds.restarts.window;
  options.logs = config.bounds.logs;
  options.output_bytes = config.bounds.output_bytes;
  // The door asks who may connect to them.
  options.service.privileged_ports = true;
  options.confinement = confinement_of(config);
  options.configure = transport::load_middleman;
  return options;
}

std::map<vm_cid, vm_history> histories_of(const std::vector<io::kept_vm>& vms,
                                          const io::told_events& told) {
  std::map<vm_cid, vm_history> histories;
  for (const auto& vm : vms)
    if (auto known = told.find(vm.cid, actors::read_record(vm).created_ms))
      histories.emplace(vm.cid, std::move(known->history));
  return histories;
}

} // namespace crosvisor
