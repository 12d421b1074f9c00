// SPDX-License-Identifier: Apache-2.0
// The service in this process, over this host, with an actor system of its own.
#pragma once

#include "crosvisor/service/service_host.hpp"

namespace crosvisor {

/// A service, its actor system and its host.
class embedded_service {
public:
  /// Makes the directories and probes the host; blocks for as long as that takes.
  static io::result<std::unique_ptr<embedded_service>>
  start(const embedded_service_options& options);

  explicit embedded_service(std::unique_ptr<service_host> host);
  embedded_service(const embedded_service&) = delete;
  embedded_service& operator=(const embedded_service&) = delete;
  /// Kills the VMs that are left, ends every thread and removes the process's directory.
  ~embedded_service();

  caf::actor_system& system() noexcept { return *system_; }
  const service_actor& handle() const noexcept { return service_; }
  const io::backend& host() const noexcept { return host_->backend(); }
  const service_options& options() const noexcept { return host_->options().service; }
  const std::string& state_dir() const noexcept { return host_->options().where.state; }

  /// The VMs that there were before the service, once; blocks until it answers.
  io::result<std::vector<adopted_vm>> adopted();

  /// Ends all VMs and waits until nothing of them is left, within a bound.
  /// @returns what is left, if the bound was not enough; then destroying this may take for ever.
  std::optional<std::string> shut_down();

private:
  std::unique_ptr<service_host> host_; // Goes last.
  std::unique_ptr<caf::actor_system_config> config_;
  std::unique_ptr<caf::actor_system> system_;
  service_actor service_;
};

} // namespace crosvisor
