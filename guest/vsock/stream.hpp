// SPDX-License-Identifier: Apache-2.0
// Whole transfers over a descriptor that blocks: what the short-lived commands do.
#pragma once

#include <cstddef>
#include <cstdint>

namespace crosvisor::guest {

class pattern;

/// How long the host may take to read what is left, in milliseconds.
inline constexpr int closing_bound = 5000;

/// Writes all of it. @returns false with errno when the other side takes no more.
bool write_all(int fd, const void* data, std::size_t size);

/// Copies until the end of `from`. @returns false with errno when that can't be read or `to` not
/// written.
bool copy(int from, int to);

/// The one pattern, made when it is first asked for: most commands have no use for it.
const pattern& shared_pattern();

/// Sends the first `bytes` bytes of the pattern. @returns false with errno.
bool send_pattern(int fd, std::uint64_t bytes);

/// Ends our side of a connection, then waits until the host has closed its own, by which it says
/// that it has read everything. What it sends meanwhile is dropped.
/// @returns false with errno; ETIMEDOUT after `bound` milliseconds.
bool close_and_wait(int fd, int bound = closing_bound);

/// Runs a program with `output` for its standard output, or with ours for -1.
/// @returns its exit code, 128 + n for signal n, 127 where it can't be run.
int run_program(char* const* arguments, int output);

} // namespace crosvisor::guest
