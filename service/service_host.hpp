// SPDX-License-Identifier: Apache-2.0
// This host, made ready for a service in this process.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/vmm/confinement.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/bounds.hpp"
#include "crosvisor/service/directories.hpp"
#include "crosvisor/service/process_dir.hpp"
#include "crosvisor/service/service.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor {

struct embedded_service_options {
  directories where;
  /// The VMMs' programs; empty: searched for.
  std::string crosvm;
  std::string qemu;
  /// The vsock device's program; empty: searched for.
  std::string vsock_device;
  std::string disk_plugin;
  /// The folder of the operating systems for apps; empty: where they are installed.
  std::string os_folder;
  /// Whether VMs have keepers, and outlive this process where it leaves them; else they end with
  /// it.
  bool keepers = false;
  /// The keepers' program; empty: searched for.
  std::string keeper = {};
  /// What was told of the VMs that keepers have; called once, before the service begins. Empty:
  /// nothing is known.
  std::function<std::map<vm_cid, vm_history>(const std::vector<io::kept_vm>&)> histories = {};
  /// How VMs are confined. None: each VM runs as a user of its own where this process is root and
  /// nothing is in the way; CROSVISOR_VMM_UID names the first of these users, and 0 turns it off.
  std::optional<io::confinement_options> confinement = {};
  /// What is kept of VMs' logs, and of each one's output.
  log_limits logs = {};
  std::shared_ptr<io::log_store_use> log_use = nullptr;
  std::size_t output_bytes = service_bounds{}.output_bytes;
  /// The service's own.
  service_options service = {};
  /// Called with the configuration of the actor system of an embedded_service before that begins;
  /// may be empty. An application that has a system of its own needs none.
  std::function<void(caf::actor_system_config&)> configure = {};
};

/// Those of this user: find_directories(), and the programs that CROSVISOR_CROSVM, CROSVISOR_QEMU,
/// CROSVISOR_VSOCK, CROSVISOR_NBDKIT_PLUGIN and CROSVISOR_OS_DIR name.
io::result<embedded_service_options> find_service_options(const environment& variables, uid_t uid);

/// The backend of a service, and the process's own folder. Several processes may each have one over
/// the same directories: each has a process_dir, and they share the CIDs. A process has one at a
/// time for the same directories.
///
/// To be made before the actor system that the service is spawned in, and destroyed after it: its
/// threads send messages until then, and the last actor of the system may still use them.
/// Destroying it kills the VMs that are left, ends every thread and removes the folder.
class service_host {
public:
  /// Makes the directories and probes the host; blocks for as long as that takes.
  static io::result<std::unique_ptr<service_host>> make(embedded_service_options options);

  service_host(process_dir dir, io::backend host, embedded_service_options options);
  service_host(const service_host&) = delete;
  service_host& operator=(const service_host&) = delete;

  const io::backend& backend() const noexcept { return backend_; }
  const embedded_service_options& options() const noexcept { return options_; }

  /// The service has taken backend::kept over.
  void forget_kept() { backend_.kept.clear(); }

private:
  process_dir dir_; // Goes last, with whatever is still in it.
  io::backend backend_;
  embedded_service_options options_;
};

/// Spawns the service in an application's own system, once for each host; see spawn_service() of
/// service.hpp for how it ends. The system's configuration went through register_types().
service_actor spawn_service(caf::actor_system& system, service_host& host);

} // namespace crosvisor
