// SPDX-License-Identifier: Apache-2.0
// A connection to a guest's port, on this host or another.
#pragma once

#include "crosvisor/cli/arguments.hpp"
#include "crosvisor/cli/outcome.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/service/connection.hpp"

#include <caf/error.hpp>

#include <future>
#include <optional>

namespace crosvisor::cli {

struct guest_port {
  io::unique_fd socket;
  /// What became of it, for one on another host: its bytes go through this process.
  std::optional<std::future<caf::error>> ended = std::nullopt;
};

/// Connects to it. Blocks until the service has answered.
outcome<guest_port> connect_port(connection& service, const port_arguments& what);

/// Copies standard input to it, and what it has to standard output; see copy_both_ways().
/// @returns the program's exit code.
outcome<int> copy_port(connection& service, guest_port port);

} // namespace crosvisor::cli
