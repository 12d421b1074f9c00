// SPDX-License-Identifier: Apache-2.0
// What the stand-in's main function chooses from. Each returns an exit code.
#pragma once

#include "crosvm_inspection.hpp"

#include <string>
#include <vector>

namespace stand_in {

/// Prints the list of commands, as `crosvm --help` does. `composite`: with create_composite.
int print_help(era when, bool composite);

/// Prints the options of `crosvm run`.
int print_run_help(era when);

/// `stop SOCKET` and the like: asks over the control socket, as crosvm's own commands do.
int ask_vm(era when, const std::vector<std::string>& arguments);

/// Plays what `--params` say, until the VM ends.
int play_vm(era when, const run_options& options, const std::vector<named_descriptor>& named);

} // namespace stand_in
