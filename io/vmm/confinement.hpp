// SPDX-License-Identifier: Apache-2.0
// What a VMM and its helpers are allowed on this host.
#pragma once

#include "crosvisor/io/host/installed_file.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::io {

/// The users that VMs run as: the one of a VM is `first_uid` plus its CID, so that no two living
/// VMs have the same, and none is anybody else's. systemd's documentation (UIDS-GIDS.md) calls
/// 1879048192 to 2147483647 nobody's.
struct vmm_user_range {
  std::uint32_t first_uid = 0x70000000; ///< 0: VMs have no users of their own.
  vm_cid last_cid = 65535;              ///< The highest that a VM may have.
};

/// A user that has nothing.
struct vmm_user {
  uid_t uid = 0;
  gid_t gid = 0;
  /// That of /dev/kvm, where the VM runs on it.
  std::vector<gid_t> groups = {};
};

/// How each VMM and its helpers are confined.
struct confinement_options {
  /// None: they run as this process does, which is all that a process without rights can do.
  std::optional<vmm_user_range> users;
  /// A cgroup (v2) of this process's, delegated to it, below which each VM gets one of its own;
  /// empty: none.
  std::string cgroup;
  /// Where VMs can't have users of their own (see check_vmm_users), they run as this process does,
  /// with a warning; else nothing is run.
  bool optional = false;
};

/// The user of a VM.
vmm_user user_of(const vmm_user_range& users, vm_cid cid);

/// The group that /dev/kvm is open to, where that is not everybody.
std::vector<gid_t> kvm_groups();

/// The threads that a VM's processes may have, which are as many processes for the kernel.
inline constexpr std::uint64_t max_vmm_threads = 1024;

/// What a VMM or helper may open besides what it inherits.
inline constexpr std::uint64_t max_vmm_descriptors = 4096;

/// Whether this process can start programs as each of these users: it has the capabilities, and the
/// ids are there in its user namespace (user_namespaces(7)); or why not.
/// @param proc where `uid_map`, `gid_map`, `setgroups` and `status` of this process are.
result<void> check_vmm_users(const vmm_user_range& users, const std::string& proc = "/proc/self");

/// Whether everybody can read the file, and execute it where it is a program; or which folder on
/// its absolute path is in the way.
result<void> check_reach(const std::string& path, file_use use);

/// The cgroup (v2) of this process's, where it was delegated to it: systemd has marked it with the
/// extended attribute trusted.delegate or user.delegate (its documentation, CGROUP_DELEGATION.md),
/// and this process can make cgroups in it. With systemd's DelegateSubgroup= it is the one above.
/// Or why there is none. One that was delegated by others is to be named by the configuration.
/// @param proc where `cgroup` and `mountinfo` of this process are.
result<std::string> find_delegated_cgroup(const std::string& proc = "/proc/self");

} // namespace crosvisor::io
