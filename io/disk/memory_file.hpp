// SPDX-License-Identifier: Apache-2.0
// Files that are in memory alone.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <cstdint>
#include <string_view>

namespace crosvisor::io {

/// A file with this content that nobody can write, grow or shrink any more (memfd_create(2), all
/// seals), open for reading alone.
/// @param name shown in /proc; at most 249 bytes.
result<unique_fd> make_memory_file(const char* name, std::string_view content);

/// The same with all that is in the file `from`, whose offset stays where it is. Blocks as long as
/// reading does. Fails with EFBIG where that is more than `most` bytes.
result<unique_fd> copy_to_memory_file(const char* name, int from, std::uint64_t most);

} // namespace crosvisor::io
