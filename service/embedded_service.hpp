// SPDX-License-Identifier: Apache-2.0
// The service in this process, over this host.
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
  /// Called with the configuration of the actor system before that begins; may be empty.
  std::function<void(caf::actor_system_config&)> configure = {};
};

/// A service, its actor system and its backend. Several processes may each have one over the same
/// directories: each has a process_dir, and they share the CIDs.
class embedded_service {
public:
  /// Makes the directories and probes the host; blocks for as long as that takes.
  static io::result<std::unique_ptr<embedded_service>>
  start(const embedded_service_options& options);

  embedded_service(process_dir dir, io::backend host, const embedded_service_options& options);
  embedded_service(const embedded_service&) = delete;
  embedded_service& operator=(const embedded_service&) = delete;
  /// Kills the VMs that are left, ends every thread and removes the process's directory.
  ~embedded_service();

  caf::actor_system& system() noexcept { return *system_; }
  const service_actor& handle() const noexcept { return service_; }
  const io::backend& host() const noexcept { return host_; }
  const service_options& options() const noexcept { return options_; }
  const std::string& state_dir() const noexcept { return state_dir_; }

  /// The VMs that there were before the service, once; blocks until it answers.
  io::result<std::vector<adopted_vm>> adopted();

  /// Ends all VMs and waits until nothing of them is left, within a bound.
  /// @returns what is left, if the bound was not enough; then destroying this may take for ever.
  std::optional<std::string> shut_down();

private:
  process_dir dir_; // Goes last, with whatever is still in it.
  io::backend host_;
  std::string state_dir_;
  service_options options_;
  std::unique_ptr<caf::actor_system_config> config_;
  std::unique_ptr<caf::actor_system> system_;
  service_actor service_;
};

} // namespace crosvisor
