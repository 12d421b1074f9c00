// SPDX-License-Identifier: Apache-2.0
// What a supervisor is made from.
#pragma once

#include "crosvisor/actors/timeouts.hpp"
#include "crosvisor/io/backend.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <memory>

namespace crosvisor::actors {

/// What there is to know of a VM that was just created, now.
vm_info describe_new_vm(vm_cid cid, const vm_config& config, const vmm_choice& choice);

struct vm_supervisor_options {
  io::launch_request request;
  vm_info info; ///< As describe_new_vm() makes it.
  std::shared_ptr<io::vmm_launcher> launcher;
  vm_timeouts timeouts;
  registry_actor registry;
  /// Null: there is no vsock for guests here.
  std::shared_ptr<io::guest_stream_factory> streams;
  /// Whether guests' ports below first_unprivileged_port may be connected to.
  bool privileged_ports = false;
  /// Null: VMs that need images built are refused.
  image_builder_pool_actor images;
};

} // namespace crosvisor::actors
