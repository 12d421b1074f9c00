// SPDX-License-Identifier: Apache-2.0
// A lock that is waited for, but not without a bound.
#pragma once

#include <chrono>

namespace crosvisor::io {

/// Takes the lock (flock) of an open file or folder, for this holder alone. Blocks for `bound` at
/// most, and tries once in any case. Where it fails errno says why: EWOULDBLOCK, another has it.
bool lock_within(int file, std::chrono::milliseconds bound) noexcept;

} // namespace crosvisor::io
