// SPDX-License-Identifier: Apache-2.0
// Guests' streams over real sockets.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/event_loop.hpp"

#include <chrono>
#include <cstddef>
#include <memory>

namespace crosvisor::io {

struct guest_stream_options {
  /// Output that is kept for late and slow readers.
  std::size_t kept_output_bytes = 1u << 20;
  /// How long finish() reads at most.
  std::chrono::milliseconds finish_bound{2000};
};

/// A factory over `loop`, which it and all its streams share.
std::shared_ptr<guest_stream_factory>
make_linux_guest_streams(std::shared_ptr<event_loop> loop,
                         const guest_stream_options& options = {});

} // namespace crosvisor::io
