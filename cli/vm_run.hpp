// SPDX-License-Identifier: Apache-2.0
// One VM run by a command, over its way to a service: from its creation to its end.
#pragma once

#include "crosvisor/cli/default_connection.hpp"
#include "crosvisor/cli/prepared_run.hpp"
#include "crosvisor/service/connection.hpp"

namespace crosvisor::cli {

/// A VM that is left alone needs a daemon to be left to.
inline without_daemon needs_of(const run_options& options) {
  return options.detach ? without_daemon::refuse : without_daemon::embed;
}

/// Opens the VM's outputs, hands the service its files, runs it to its end or leaves it held, tells
/// of it, and shuts a service in this process down. block_ending_signals() must have been called.
/// @returns the program's exit code.
outcome<int> run_vm(const run_options& options, connection& service, prepared_vm vm);

} // namespace crosvisor::cli
