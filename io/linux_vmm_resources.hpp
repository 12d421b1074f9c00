// SPDX-License-Identifier: Apache-2.0
// What a launch of linux_vmm's makes, step by step.
#pragma once

#include "crosvisor/io/linux_vmm.hpp"
#include "crosvisor/io/vm_files.hpp"

#include <memory>
#include <vector>

namespace crosvisor::io {

/// Becomes the VM's when its VMM runs, and goes with all that is in it when not.
struct vmm_resources {
  vm_file_descriptors files;
  vm_confinement confinement; // Goes after all processes.
  std::unique_ptr<runtime_dir> dir;
  log_dir logs;
  std::shared_ptr<console_log> console;
  std::shared_ptr<console_log> log;
  std::shared_ptr<console_log> vmm_log;
  std::shared_ptr<console_log> failures;
  std::shared_ptr<crash_files> crashes;
  std::unique_ptr<vsock_device> device;
  std::unique_ptr<companions> beside;
  std::vector<unique_fd> disk_ends;  // The VMM's, of its connections to disk servers.
  std::vector<unique_fd> share_ends; // The same, to file servers.
  unique_fd gdb;
  pstore_memory pstore;
  control_endpoint endpoint;
  vm_description vm;
  std::shared_ptr<child_process> child;
};

} // namespace crosvisor::io
