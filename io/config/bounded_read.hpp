// SPDX-License-Identifier: Apache-2.0
// Reads a small file whole.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <string>

namespace crosvisor::io {

/// What the regular file `fd` holds, from its beginning, of a larger one the first `most` bytes.
/// Does not move the descriptor's offset. Memory is that of what there is, whatever the file's size
/// claims.
/// @returns errno and its words alone, for the caller to say of which file.
result<std::string> read_bounded(int fd, std::size_t most);

} // namespace crosvisor::io
