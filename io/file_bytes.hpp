// SPDX-License-Identifier: Apache-2.0
// Reading and writing bytes of a file, whose offset stays where it is.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// The bytes at an offset, as many as asked for; fewer only where there are no more.
using byte_source = std::function<result<std::string>(std::uint64_t offset, std::size_t size)>;

/// Reads into `to`, or as much of it as there is before the file ends.
/// @returns how many bytes. Blocks as long as reading does.
result<std::size_t> read_some_at(int fd, std::uint64_t offset, std::span<char> to);

/// The bytes of a file or block device, in the same way.
result<std::string> read_at(int fd, std::uint64_t offset, std::size_t size);

/// Fills `to`, or fails: with EIO where the file has ended. Blocks as long as reading does.
result<void> read_all_at(int fd, std::uint64_t offset, std::span<char> to);

/// All of `bytes`, or why not. Blocks as long as writing does.
result<void> write_at(int fd, std::uint64_t offset, std::string_view bytes);

/// A source that borrows `fd`.
byte_source bytes_of_file(int fd);

/// A source that borrows `bytes`.
byte_source bytes_of_text(std::string_view bytes);

} // namespace crosvisor::io
