// SPDX-License-Identifier: Apache-2.0
// What is kept of VMs' logs by services in this user's processes.
#pragma once

#include "crosvisor/cli/log_showing.hpp"
#include "crosvisor/messages/fwd.hpp"

#include <string>
#include <vector>

namespace crosvisor::cli {

/// The folder of a VM's logs below a state directory.
std::string log_folder(const std::string& state_dir, vm_cid cid, const vm_name& name);

/// A VM whose logs are kept.
struct kept_vm {
  vm_cid cid = no_cid;
  vm_name name;
};

/// The VMs whose logs are kept below `state_dir`, the newest last.
std::vector<kept_vm> list_kept_vms(const std::string& state_dir);

/// Reads the logs below a state directory, without a service.
log_source kept_logs(const std::string& state_dir);

} // namespace crosvisor::cli
