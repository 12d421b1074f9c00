// SPDX-License-Identifier: Apache-2.0
// The commands. Each does its work and returns the program's exit code.
#pragma once

#include "crosvisor/cli/arguments.hpp"

#include <string>
#include <vector>

namespace crosvisor::cli {

/// Runs a VM until its end.
int run(const run_arguments& arguments);

/// Shows what this host can do. Makes and changes nothing.
int info(const info_arguments& arguments);

/// Shows a VM's kept log.
int logs(const logs_arguments& arguments);

/// The whole program; `arguments` follow its name.
int run_program(const std::vector<std::string>& arguments);

} // namespace crosvisor::cli
