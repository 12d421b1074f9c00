// SPDX-License-Identifier: Apache-2.0
// What keeps the processes of one VM apart from all others.
#pragma once

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/runtime_dir.hpp"
#include "crosvisor/io/vmm/confinement.hpp"
#include "crosvisor/io/vmm/vm_cgroup.hpp"
#include "crosvisor/io/vmm/vm_description.hpp"
#include "crosvisor/messages/host_info.hpp"

#include <memory>
#include <optional>

namespace crosvisor::io {

/// What all VMs of a launcher have in common.
class vmm_confinement {
public:
  /// Takes the cgroup, where one is named. Users that can't be had are a failure or, where that is
  /// allowed, a warning.
  /// @param programs absolute paths of the VMMs and helpers that those users execute.
  /// @param plugins those that they read.
  static result<vmm_confinement> make(const confinement_options& options,
                                      const std::vector<std::string>& programs,
                                      const std::vector<std::string>& plugins);

  /// Of VMs that run as this process does, in its cgroup.
  vmm_confinement() = default;

  const std::optional<vmm_user_range>& users() const noexcept { return users_; }
  const std::shared_ptr<cgroup_tree>& cgroups() const noexcept { return cgroups_; }

private:
  std::optional<vmm_user_range> users_;
  std::shared_ptr<cgroup_tree> cgroups_;
};

/// One VM's, made before its processes; let go of it when they have ended.
class vm_confinement {
public:
  static result<vm_confinement> make(const vmm_confinement& all, vm_cid cid);

  /// None: this process's.
  const std::optional<vmm_user>& user() const noexcept { return user_; }

  /// Has a command executed as that user, in the cgroup, with its limits.
  /// @param accel whether it is a VMM that needs /dev/kvm.
  void apply_to(child_command& command, accel_kind accel = accel_kind::tcg) const;

  /// Has a command executed in the cgroup alone: for one that is another user's.
  void join_cgroup(child_command& command) const;

  /// Where there is a user, gives it the pipes and the runtime directory of a VMM that opens them
  /// by path, and has vm.control_path lead there without the directories above, which stay closed.
  result<void> let_into(const runtime_dir& dir, vm_description& vm) const;

private:
  std::optional<vmm_user> user_;
  std::unique_ptr<vm_cgroup> cgroup_;
};

} // namespace crosvisor::io
