// SPDX-License-Identifier: Apache-2.0
// Which VMs' logs are kept below a state directory.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/fwd.hpp"

#include <optional>
#include <string>
#include <vector>

namespace crosvisor::io {

/// A VM whose logs are kept.
struct logged_vm {
  vm_cid cid = no_cid;
  vm_name name;
  std::string folder; ///< The whole path.
};

/// The folder of a VM's logs.
std::string log_folder(const std::string& state_dir, vm_cid cid, const vm_name& name);

/// The VMs whose logs are kept, the newest last; none where there is no such directory. What is no
/// VM's folder is passed over. Blocks as long as looking at each folder does.
std::vector<logged_vm> list_logged_vms(const std::string& state_dir);

/// The newest of `vms` with that CID or name.
std::optional<logged_vm> find_logged_vm(const std::vector<logged_vm>& vms,
                                        const std::string& wanted);

/// Opens a VM's folder, if it is one and no symlink.
result<unique_fd> open_log_folder(const logged_vm& vm);

} // namespace crosvisor::io
