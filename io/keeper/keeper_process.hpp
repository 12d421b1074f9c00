// SPDX-License-Identifier: Apache-2.0
// What a keeper's process is before it does anything.
#pragma once

namespace crosvisor::io {

/// Of a session of its own, in `/`, not killed with its parent, without core dumps or others of its
/// user looking into it, with little memory held in reserve. SIGTERM waits for a signalfd
/// (open_service_signals), the rest is ignored. For a process with one thread.
void become_keeper() noexcept;

/// Once the VM's processes are there: gives back the memory that their launch took, and for good
/// every capability but those by which it signals and cleans up after processes of the VM's user.
/// One of them is what has the VMM killed with it (PR_SET_PDEATHSIG is checked like kill(2)).
void launch_is_over() noexcept;

} // namespace crosvisor::io
