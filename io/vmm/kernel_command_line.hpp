// SPDX-License-Identifier: Apache-2.0
// The kernel command line: what a VM's owner asked for, and what its VMM needs.
#pragma once

#include "crosvisor/io/vmm/vm_description.hpp"

#include <string>

namespace crosvisor::io {

/// The kernel command line of `vm` under `vmm`; empty for a bootloader. What is added stands first,
/// so that what the owner says later wins, and each word is left out where the owner's own params
/// have one of its kind:
///
/// - `console=ttyS0`, the console that is captured.
/// - `panic=-1` for QEMU: a kernel that panics resets at once, as against standing still for ever.
///   crosvm adds it itself (its x86_64/src/lib.rs).
/// - `no_timer_check` under TCG: on a loaded host about one boot in twenty ends in the panic
///   "IO-APIC + timer doesn't work!", since the check counts ticks that come late.
std::string kernel_command_line(const vm_description& vm, vmm_kind vmm);

} // namespace crosvisor::io
