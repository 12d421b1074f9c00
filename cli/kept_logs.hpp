// SPDX-License-Identifier: Apache-2.0
// What is kept of VMs' logs.
#pragma once

#include "crosvisor/messages/fwd.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::cli {

/// The folder of a VM's logs below a state directory.
std::string log_folder(const std::string& state_dir, vm_cid cid, const vm_name& name);

/// A VM whose logs are kept.
struct kept_vm {
  vm_cid cid = no_cid;
  vm_name name;
  std::string folder;
};

/// The VMs whose logs are kept below `state_dir`, the newest last.
std::vector<kept_vm> list_kept_vms(const std::string& state_dir);

/// The newest of `vms` with that CID or name.
std::optional<kept_vm> find_kept_vm(const std::vector<kept_vm>& vms, const std::string& wanted);

/// The last lines of a kept log, at most `count`, made fit for a terminal; none where there is no
/// such log. Looks at its last 8 KiB alone.
std::vector<std::string> last_lines(const std::string& folder, const std::string& log,
                                    std::size_t count);

} // namespace crosvisor::cli
