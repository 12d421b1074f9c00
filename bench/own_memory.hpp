// SPDX-License-Identifier: Apache-2.0
// What this process has in memory, and how many more descriptors it may open.
#pragma once

#include <cstddef>

namespace crosvisor::bench {

/// In bytes.
struct own_memory {
  double resident = 0;  ///< Pages that are in memory.
  double allocated = 0; ///< What malloc has given out and not got back.
};

/// After malloc has given back to the kernel what it can.
own_memory measure_own_memory();

std::size_t open_descriptor_count();

/// RLIMIT_NOFILE, the soft one.
std::size_t descriptor_limit();

} // namespace crosvisor::bench
