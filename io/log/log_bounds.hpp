// SPDX-License-Identifier: Apache-2.0
// How much of what a guest writes is kept.
#pragma once

#include <cstdint>

namespace crosvisor::io {

/// How much of one log is kept: `files` files of `file_bytes` each, NAME, NAME.1, NAME.2, …, the
/// newest first.
struct log_bounds {
  std::uint64_t file_bytes = 2u << 20;
  unsigned files = 4;
};

} // namespace crosvisor::io
