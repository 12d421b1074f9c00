// SPDX-License-Identifier: Apache-2.0
// Reads the text of a configuration's file.
#pragma once

#include "crosvisor/io/result.hpp"

#include <string>

namespace crosvisor::io {

/// The whole of the file at `path`, of a larger one the first max_json_bytes + 1 bytes. Blocks as a
/// read of a regular file does; what is none, such as a FIFO, is refused.
/// @returns the failure's sentence begins with the path; ENOENT where there is no such file.
result<std::string> read_config_text(const std::string& path);

} // namespace crosvisor::io
