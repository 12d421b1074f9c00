// SPDX-License-Identifier: Apache-2.0
// What a service's errors are to whoever called the program.
#pragma once

#include "crosvisor/cli/exit_code.hpp"

#include <caf/error.hpp>

#include <optional>
#include <string>

namespace crosvisor::cli {

/// The code of an error of ours; nothing for one of CAF's.
std::optional<vm_errc> errc_of(const caf::error& why);

int exit_code_of_error(const caf::error& why);

/// The sentence for people, printable: what was denied is said with where it is granted.
std::string words_of_error(const caf::error& why);

} // namespace crosvisor::cli
