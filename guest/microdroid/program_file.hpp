// SPDX-License-Identifier: Apache-2.0
// What kind of program a file is.
#pragma once

#include <cstdint>

namespace crosvisor::guest {

enum class program_kind : std::uint8_t {
  none,    ///< No file that can be read, or a folder.
  program, ///< Run as it is: what is no shared object is the kernel's to judge.
  library, ///< A shared object, which only a launcher can run.
};

/// By its ELF header: a shared object has no interpreter and is not marked as an executable that
/// can be loaded anywhere (DF_1_PIE).
program_kind kind_of_program(const char* path);

} // namespace crosvisor::guest
