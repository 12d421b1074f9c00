// SPDX-License-Identifier: Apache-2.0
// Files that are in memory alone.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <string_view>

namespace crosvisor::io {

/// A file with this content that nobody can write, grow or shrink any more (memfd_create(2), all
/// seals), open for reading alone.
/// @param name shown in /proc; at most 249 bytes.
result<unique_fd> make_memory_file(const char* name, std::string_view content);

} // namespace crosvisor::io
