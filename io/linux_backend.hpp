// SPDX-License-Identifier: Apache-2.0
// This host as the actors see it.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/log/console_log.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/vmm/confinement.hpp"

#include <cstddef>
#include <string>

namespace crosvisor::io {

struct log_store_use; // io/log/log_store.hpp

struct linux_backend_options {
  /// The folder of all VMs' runtime directories, held by one process at a time; absolute and short.
  std::string runtime_root;
  /// Where logs (`logs/<cid>-<name>/{console,log,vmm}.log`), the last CID and what was found out
  /// about the host are kept; absolute.
  std::string state_dir;
  /// The program of each VMM; empty: searched for.
  std::string crosvm_path;
  std::string qemu_path;
  /// The program of the vsock device; empty: searched for.
  std::string vsock_device_path;
  /// nbdkit's plugin for composite disks; empty: searched for.
  std::string disk_plugin_path;
  /// The folder of the operating systems for apps, absolute; empty: where they are installed.
  std::string os_folder;
  /// Of each of a VM's three logs.
  log_bounds logs;
  /// How many dead VMs' logs are kept; older ones are removed.
  std::size_t kept_logs = 64;
  /// What of that bound is in use; null: nobody asks.
  std::shared_ptr<log_store_use> log_use = nullptr;
  /// How much of a VM's output is kept for late and slow readers.
  std::size_t kept_output_bytes = 1u << 20;
  /// Threads that start VMMs, and again as many that speak to them; made when they are needed.
  std::size_t workers = 8;
  /// How each VMM and its helpers are confined.
  confinement_options confinement = {};
  /// The folder of keepers' sockets and of their VMs' runtime directories, which then are not in
  /// `runtime_root`; absolute and short, see keeper_launcher_options::folder. Empty: VMs have no
  /// keepers, and end with this process.
  std::string keepers_folder = {};
  /// The keepers' program; empty: searched for.
  std::string keeper_path = {};
  /// Raises the soft limit of open descriptors to the hard one. A VM takes about ten, and the usual
  /// soft limit is 1,024.
  bool raise_descriptor_limit = true;
};

/// Probes the host, finds the VMs that outlived an earlier process, and opens its directories; the
/// parents of both must exist. Blocks for the time of the probe. Also opens standard streams that
/// are closed, on /dev/null, since no VM's descriptor may have their numbers.
result<backend> make_linux_backend(const linux_backend_options& options);

} // namespace crosvisor::io
