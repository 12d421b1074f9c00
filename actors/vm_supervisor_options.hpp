// SPDX-License-Identifier: Apache-2.0
// What a supervisor is made from.
#pragma once

#include "crosvisor/actors/timeouts.hpp"
#include "crosvisor/actors/vm_record.hpp"
#include "crosvisor/io/backend.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/messages/vm_history.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace crosvisor::actors {

/// What there is to know of a VM that was just created, now.
vm_info describe_new_vm(vm_cid cid, const vm_config& config, const vmm_choice& choice);

/// What there is to know of a kept VM, before its keeper has told anything.
vm_info describe_kept_vm(const io::kept_vm& kept, const vm_record& record);

/// What a VM was before this service.
struct vm_past {
  vm_record record;
  vm_history history;
};

struct vm_supervisor_options {
  io::launch_request request;
  vm_info info; ///< As describe_new_vm() or describe_kept_vm() makes it.
  std::shared_ptr<io::vmm_launcher> launcher;
  vm_timeouts timeouts;
  registry_actor registry;
  /// Null: there is no vsock for guests here.
  std::shared_ptr<io::guest_stream_factory> streams;
  /// Whether guests' ports below first_unprivileged_port may be connected to.
  bool privileged_ports = false;
  /// Null: VMs that need images built are refused.
  image_builder_pool_actor images;
  /// Of a VM that its keeper has: `request` has no files then. Nothing: the VM is new.
  std::optional<vm_past> past = {};
  /// What was done for it already, told with its first event.
  std::vector<vm_step> steps = {};
};

} // namespace crosvisor::actors
