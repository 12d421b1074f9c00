// SPDX-License-Identifier: Apache-2.0
// Whole reads and writes at a place in a file, whose own position stays where it is.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crosvisor::io {

/// Reads `size` bytes at `offset` into `to`, or as many as there are before the file ends.
/// @returns how many. Blocks as long as reading does.
result<std::size_t> read_at(int fd, void* to, std::size_t size, std::uint64_t offset);

/// Writes all of `bytes` at `offset`. Blocks as long as writing does.
result<void> write_at(int fd, std::string_view bytes, std::uint64_t offset);

} // namespace crosvisor::io
