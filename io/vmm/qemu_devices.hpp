// SPDX-License-Identifier: Apache-2.0
// QEMU's options of what a VM has besides processors, memory, consoles and disks.
#pragma once

#include "crosvisor/io/vmm/arguments.hpp"
#include "crosvisor/io/vmm/vm_description.hpp"

namespace crosvisor::io {

/// A balloon, random numbers, a way to tell of a panic, and vsock; then what the description has of
/// a debugger's port, a network card, pstore and shared directories.
arguments qemu_devices(const vm_description& vm);

} // namespace crosvisor::io
