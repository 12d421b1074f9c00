// SPDX-License-Identifier: Apache-2.0
// Names that every folder uses.
#pragma once

#include <cstdint>
#include <string>

namespace crosvisor {

/// A vsock context identifier: the address of a VM on this host. 0, 1 and 2 are the hypervisor's,
/// the loopback's and the host's own (linux/vm_sockets.h); no VM has one of them.
using vm_cid = std::uint32_t;

/// The "no VM" value of a vm_cid.
inline constexpr vm_cid no_cid = 0;

/// The first that a VM can have.
inline constexpr vm_cid first_vm_cid = 3;

/// What people call a VM; see valid_vm_name().
using vm_name = std::string;

} // namespace crosvisor
