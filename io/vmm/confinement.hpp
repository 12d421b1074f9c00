// SPDX-License-Identifier: Apache-2.0
// What a VMM and its helpers are allowed on this host.
#pragma once

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
  std::uint32_t first_uid = 0x70000000;
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
};

} // namespace crosvisor::io
