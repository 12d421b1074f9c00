// SPDX-License-Identifier: Apache-2.0
// nbdkit with the plugin, as a user runs it: for as long as one command of NBD clients takes.
#pragma once

#include "crosvisor/tests/judge.hpp"

#include <string>

namespace crosvisor::tests {

/// @param options of nbdkit's and the plugin's; without quotes in them.
/// @param clients a command with `$uri`, without single quotes.
inline verdict with_nbdkit(const std::string& options, const std::string& clients) {
  return ask("nbdkit -U - " NBDKIT_PLUGIN " " + options + " --run '" + clients + "'");
}

} // namespace crosvisor::tests
