// SPDX-License-Identifier: Apache-2.0
// The same bytes between two threads over a plain AF_UNIX stream.
#pragma once

#include <cstdint>

namespace crosvisor::bench {

/// Seconds for so many bytes one way, to the receipt for the last.
double socket_transfer(std::uint64_t bytes);

/// Seconds for one byte there and back, the mean of so many.
double socket_round_trip(int count);

/// Seconds for a connection to a listening socket whose owner accepts it, the mean of so many.
double socket_connect(int count);

} // namespace crosvisor::bench
