// SPDX-License-Identifier: Apache-2.0
// The two kernel devices that stand between a partition and what is read of it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace crosvisor::guest {

/// A piece of a file as a block device of its own, read-only. @param path receives its node in
/// /dev.
/// @returns false with errno.
bool make_loop(int file, std::uint64_t offset, std::uint64_t size, char* path, std::size_t most);

/// A read-only device `name` of one target, ready to be read. @param path receives its node in
/// /dev.
/// @returns false with errno; then there is no such device.
bool make_mapped(const char* name, const char* target, std::uint64_t sectors,
                 const char* parameters, char* path, std::size_t most);

/// What the target says of itself. @returns false with errno.
bool mapped_status(const char* name, char* text, std::size_t most);

} // namespace crosvisor::guest
