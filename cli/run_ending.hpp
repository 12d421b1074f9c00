// SPDX-License-Identifier: Apache-2.0
// What is told of a run that has ended.
#pragma once

#include "crosvisor/cli/arguments.hpp"
#include "crosvisor/cli/log_showing.hpp"
#include "crosvisor/cli/run_session.hpp"

#include <string>
#include <vector>

namespace crosvisor::cli {

/// The lines for people: what went wrong, and of a VM that ended badly the last ones of its logs.
/// @param logs where they are kept; asked for such a VM alone.
/// @param state_dir of a service in this process; else empty.
std::vector<std::string> ending_lines(const run_outcome& outcome, const run_options& options,
                                      const log_source& logs, const std::string& state_dir);

} // namespace crosvisor::cli
