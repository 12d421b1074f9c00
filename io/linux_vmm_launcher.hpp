// SPDX-License-Identifier: Apache-2.0
// Starts real VMMs on this host.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/io/log/console_log.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/vmm/disk_server.hpp"
#include "crosvisor/io/vmm/vm_confinement.hpp"
#include "crosvisor/io/vmm/vmm_driver.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace crosvisor::io {

struct log_store_use; // io/log/log_store.hpp

struct vmm_launcher_options {
  /// The folder of all runtime directories; see runtime_root::open. Short: a socket's path has at
  /// most 107 bytes, and one of them is below it.
  std::string runtime_root;
  /// Logs go below `logs` in it, one folder for each VM; see log_dir_name().
  std::string state_dir;
  /// Of each of a VM's three logs.
  log_bounds logs;
  /// How many dead VMs' logs are kept; older ones are removed.
  std::size_t kept_logs = 64;
  /// What of that bound is in use; null: nobody asks.
  std::shared_ptr<log_store_use> log_use = nullptr;
  /// For whoever makes a VM's streams (guest_stream_options): how much of its output they keep.
  std::size_t kept_output_bytes = 1u << 20;
  /// The program of the vsock device; empty: VMs have the kernel's vsock or none.
  std::string vsock_program;
  /// What serves composite disks to VMMs that can't open them; empty: such VMs can't be launched.
  disk_server_programs disk_server;
  /// crosvisor-share, by which shared directories are served; empty: searched for.
  std::string share_program = {};
  /// How VMs' processes are confined.
  vmm_confinement confinement = {};
  /// Where the connections of all devices go; null: they are closed.
  std::shared_ptr<guest_door> door;
  /// Threads that start VMMs, and again as many that speak to them; made when they are needed.
  std::size_t workers = 8;
  /// Where everything happens, for a process that runs one VM and has no thread but its loop's:
  /// there is one more only once something has to be waited for, which is crosvm's control
  /// programs being started. Null: loops and workers of the launcher's own.
  std::shared_ptr<event_loop> loop;
};

/// The drivers of the VMMs that this host has; null: it has none of that kind.
struct vmm_drivers {
  std::unique_ptr<vmm_driver> crosvm;
  std::unique_ptr<vmm_driver> qemu;
};

/// A launcher with an event loop for control channels, another for logs, so that a guest that
/// floods its console delays no control, and workers for what may block. Its destruction kills and
/// reaps every VMM that is left and waits for that, at most ten seconds. A vmm_process that is held
/// longer answers errors, and lets go of its directory in the calling thread.
result<std::shared_ptr<vmm_launcher>> make_linux_vmm_launcher(const vmm_launcher_options& options,
                                                              vmm_drivers drivers);

} // namespace crosvisor::io
