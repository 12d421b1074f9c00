// SPDX-License-Identifier: Apache-2.0
// Connects two descriptors with a stream socket, one for each way.
#pragma once

#include "crosvisor/io/unique_fd.hpp"

#include <string>

namespace crosvisor::cli {

/// Copies what `in` has to `socket`, and what that has to `out`, unchanged, until both have ended.
/// A way that has ended is closed alone: the socket's with shutdown(2), `out` by becoming
/// /dev/null. Once the other end has closed the socket altogether, `in` is not read any more.
/// Blocks. A read of `in` that blocks is left behind, on a thread of its own.
/// @returns what ended it too early, one sentence; empty where nothing did.
std::string copy_both_ways(int in, int out, io::unique_fd socket);

} // namespace crosvisor::cli
