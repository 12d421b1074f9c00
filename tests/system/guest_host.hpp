// SPDX-License-Identifier: Apache-2.0
// The service on this host, for one test with real guests.
#pragma once

#include "crosvisor/io/linux_backend.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::tests {

/// How long a guest may take to come up, emulated on a host that is busy with other things.
inline constexpr std::chrono::seconds boot_bound{120};
/// How long anything else may take that must happen.
inline constexpr std::chrono::seconds step_bound{60};

/// The fixture of the guest suites: real backend, real actors, directories of its own. In the end
/// it drains the service and checks that nothing is left: no VM, no process, no file in the runtime
/// directory, no descriptor.
class guest_host {
public:
  guest_host() : guest_host(io::log_bounds{}) {}
  explicit guest_host(io::log_bounds logs, const io::confinement_options& confinement = {});
  guest_host(const guest_host&) = delete;
  guest_host& operator=(const guest_host&) = delete;
  ~guest_host();

  caf::actor_system& system() { return *system_; }
  const service_actor& service() const { return service_; }

  /// A directory for a test's own files.
  const temp_dir& scratch() const { return scratch_; }

  /// What is kept of a VM's log; `log` is `console`, `log` or `vmm`, or a rotated one: `log.1`.
  std::string kept_log(const vm_info& vm, const std::string& log) const;
  std::string log_folder(const vm_info& vm) const;

  std::vector<vm_info> list();

private:
  void start(io::log_bounds logs, const io::confinement_options& confinement);
  std::string within_reach(const std::string& file) const;
  void drain();

  holdings before_;
  temp_dir scratch_;
  io::backend backend_;
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  service_actor service_;
};

/// The demo guest's file of that name: `vmlinux`, `initramfs.cpio`, `disk.raw`.
std::string guest_file(const std::string& name);

} // namespace crosvisor::tests
