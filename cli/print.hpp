// SPDX-License-Identifier: Apache-2.0
// What the program says to whoever called it.
#pragma once

#include <string>
#include <string_view>

namespace crosvisor::cli {

/// `crosvisor: what` on standard error.
/// @returns `exit_code`, so that an error can be returned in one line.
int complain(int exit_code, const std::string& what);

/// Writes `text` to standard error, as it is.
void say(std::string_view text);

/// Writes `text` to standard output.
/// @returns the program's exit code: done, or failed where it could not be written. That is only
/// said where it was not the reader who had enough.
int print(std::string_view text);

} // namespace crosvisor::cli
