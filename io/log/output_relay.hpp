// SPDX-License-Identifier: Apache-2.0
// Writes to what may keep its writer waiting for as long as its owner likes.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <sys/stat.h>

namespace crosvisor::io {

/// How many there may be at once; those included whose write never returns.
inline constexpr int max_output_relays = 512;

/// Whether a write to a client's descriptor can block though poll(2) says that it can't: a file of
/// a file system that asks somebody (FUSE, a network's), a character device such as a terminal's
/// master side, whose flags its owner may change at any time.
/// @param is of `fd`. Blocks as long as the file system does.
bool needs_relay(int fd, const struct stat& is) noexcept;

/// The non-blocking end of a pipe whose bytes a thread of its own writes to `to`. Once that end is
/// closed the thread writes the rest and ends; whoever keeps it waiting keeps the thread, `to` and
/// 64 KiB, and nothing else. What `to` refuses is lost. EBUSY: there are max_output_relays.
result<unique_fd> relay_to(unique_fd to);

} // namespace crosvisor::io
