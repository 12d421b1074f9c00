// SPDX-License-Identifier: Apache-2.0
// What a keeper's process is before it does anything.
#pragma once

namespace crosvisor::io {

/// Of a session of its own, in `/`, not killed with its parent, without core dumps or others of its
/// user looking into it, with little memory held in reserve. SIGTERM waits for a signalfd
/// (open_service_signals), the rest is ignored. For a process with one thread.
void become_keeper() noexcept;

} // namespace crosvisor::io
