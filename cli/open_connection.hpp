// SPDX-License-Identifier: Apache-2.0
// A command's way to its service.
#pragma once

#include "crosvisor/cli/default_connection.hpp"

#include <functional>
#include <memory>

namespace crosvisor::cli {

/// Connects to the service that choose_connection() chooses.
outcome<std::unique_ptr<connection>> open_connection(const connect_arguments& given,
                                                     without_daemon otherwise);

/// Connects to a daemon for a command about VMs that are there, has `use` do it, and complains of
/// what ends that early. The connection is not closed; the end of the process does that.
/// @returns the program's exit code, of 0 to 6.
int with_daemon(const connect_arguments& given,
                const std::function<outcome<int>(connection&)>& use);

/// Leaves a connection as it is until the process ends: closing it takes longer than all that most
/// commands do.
void leave_connection(std::unique_ptr<connection> opened) noexcept;

/// Whether with_daemon() or leave_connection() did so. The program must then end by quick_exit(3),
/// since threads still run.
bool is_connection_left() noexcept;

} // namespace crosvisor::cli
