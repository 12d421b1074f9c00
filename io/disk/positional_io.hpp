// SPDX-License-Identifier: Apache-2.0
// Whole reads and writes at an offset of a file. Neither uses nor changes the descriptor's own
// offset. Any thread.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace crosvisor::io {

/// Fills `to`. Beyond the file's end it fails with EIO.
result<void> read_all_at(int fd, std::span<char> to, std::uint64_t offset);

/// The same as far as the file goes; returns how many bytes were read.
result<std::size_t> read_some_at(int fd, std::span<char> to, std::uint64_t offset);

/// Writes all of `from`.
result<void> write_all_at(int fd, std::string_view from, std::uint64_t offset);

/// How large a regular file or a block device is. Fails for what is neither.
result<std::uint64_t> size_of_file(int fd);

} // namespace crosvisor::io
