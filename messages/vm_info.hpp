// SPDX-License-Identifier: Apache-2.0
// What the service reports of one VM. Knows no CAF type.
#pragma once

#include "crosvisor/messages/caller.hpp"
#include "crosvisor/messages/fwd.hpp"
#include "crosvisor/messages/payload_status.hpp"
#include "crosvisor/messages/vm_config.hpp"
#include "crosvisor/messages/vm_state.hpp"

#include <cstdint>
#include <string>

namespace crosvisor {

struct vm_info {
  vm_cid cid = no_cid;
  vm_name name;
  vm_state state = vm_state::not_started;
  bool suspended = false;
  /// Who created it.
  caller owner;
  /// What runs it; never `automatic`.
  vmm_kind vmm = vmm_kind::qemu;
  accel_kind accel = accel_kind::tcg;
  std::uint32_t memory_mib = 0;
  std::uint32_t cpus = 0;
  /// When it was created: milliseconds since 1970-01-01 UTC.
  std::int64_t created_ms = 0;
  /// Process id of its VMM; 0 while none runs.
  std::int32_t vmm_pid = 0;
  /// Meaningful when the state is `dead`.
  death_reason reason = death_reason::unknown;
  vmm_exit exit;
  payload_info payload;
  /// How often it was started again.
  std::uint32_t restarts = 0;
};

/// The balloon of a VM, in bytes. A larger balloon leaves the guest less memory.
struct balloon_info {
  /// What the balloon holds now.
  std::uint64_t size_bytes = 0;
  /// The guest's memory without a balloon.
  std::uint64_t memory_bytes = 0;
};

template <class Inspector>
auto inspect(Inspector& f, vm_info& x) {
  return f(x.cid, x.name, x.state, x.suspended, x.owner, x.vmm, x.accel, x.memory_mib, x.cpus,
           x.created_ms, x.vmm_pid, x.reason, x.exit, x.payload, x.restarts);
}

template <class Inspector>
auto inspect(Inspector& f, balloon_info& x) {
  return f(x.size_bytes, x.memory_bytes);
}

} // namespace crosvisor
