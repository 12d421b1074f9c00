// SPDX-License-Identifier: Apache-2.0
// The lock (flock) by which a folder says that whoever writes to it lives.
#pragma once

namespace crosvisor::io {

/// Locks a folder for as long as its descriptor, or a copy of it, is open; the kernel takes it back
/// however the process ends. Blocks for 20 ms at most. False: somebody else has it
/// (errno is EWOULDBLOCK), or it can't be locked.
bool lock_folder(int folder) noexcept;

/// Whether somebody has it locked. Does not wait.
bool is_folder_locked(int folder) noexcept;

} // namespace crosvisor::io
