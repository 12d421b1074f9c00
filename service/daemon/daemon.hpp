// SPDX-License-Identifier: Apache-2.0
// The program crosvisord: the service, behind a door that other processes and hosts reach.
#pragma once

#include <string>
#include <vector>

namespace crosvisor {

/// The program's exit codes.
enum daemon_exit : int {
  daemon_stopped = 0, ///< It was told to end, or had only something to print.
  daemon_failed = 1,  ///< It could not start, or lost what it can't be without.
  daemon_misused = 2, ///< The command line or the configuration is wrong; nothing was started.
};

/// Runs the program until it is stopped; call it from main's thread, before there are others.
/// @param arguments without the program's name.
int run_daemon(const std::vector<std::string>& arguments);

} // namespace crosvisor
