// SPDX-License-Identifier: Apache-2.0
// Where files are that are installed with this program.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <string>

namespace crosvisor::io {

enum class file_use : std::uint8_t { read, execute };

/// The path of a file: beside this process's own program, below the same prefix, or where it was to
/// be installed; or why it is nowhere.
/// @param folder absolute or below the prefix, as CMake has it, such as `libexec/crosvisor`.
result<std::string> find_installed_file(const std::string& name, const std::string& folder,
                                        file_use use);

} // namespace crosvisor::io
