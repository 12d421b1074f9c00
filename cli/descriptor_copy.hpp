// SPDX-License-Identifier: Apache-2.0
// Reading and writing descriptors that may be non-blocking, as whoever shares them likes.
#pragma once

#include <sys/types.h>

#include <string_view>
#include <vector>

namespace crosvisor::cli {

/// Writes all of it, however long that takes. False, with errno, when the descriptor takes no more.
bool write_whole(int fd, std::string_view bytes);

/// Waits for some bytes. Their number, 0 at the end of file, or less with errno.
ssize_t read_some(int fd, std::vector<char>& buffer);

} // namespace crosvisor::cli
