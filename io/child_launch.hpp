// SPDX-License-Identifier: Apache-2.0
// From a command to a process that executes it.
#pragma once

#include "crosvisor/io/child_process.hpp"

namespace crosvisor::io {

/// Starts a child, and returns when the program is executed, or why it was not; then no process is
/// left. See child_process::start. A child that was stopped before that is taken for started after
/// two seconds. The child is to be waited for.
result<pid_t> fork_and_exec(const child_command& command);

/// Waits for a child that has ended or is about to.
void reap(pid_t pid) noexcept;

} // namespace crosvisor::io
