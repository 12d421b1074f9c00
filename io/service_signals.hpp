// SPDX-License-Identifier: Apache-2.0
// The signals by which a service is told to end, to leave, or to read its configuration anew.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <optional>

namespace crosvisor::io {

/// Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR2 and ignores SIGPIPE, for this thread and those that
/// it makes: call it in main, first.
void block_service_signals() noexcept;

/// A non-blocking, close-on-exec descriptor that the blocked signals are read from: signalfd(2).
result<unique_fd> open_service_signals();

/// The next signal; nothing where none waits.
std::optional<int> read_signal(int descriptor) noexcept;

} // namespace crosvisor::io
