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
  /// How much of that is output which the fastest reader has had, kept for one that takes its
  /// place; less than all.
  std::size_t reread_output_bytes = 0;
  /// How long finish() reads at most.
  std::chrono::milliseconds finish_bound{2000};
};

/// A VM's streams, some of whose readers brought their sockets.
class served_guest_streams : public guest_streams {
public:
  /// Writes the output to a connected stream socket, as to those of open_output().
  virtual void write_output_to(unique_fd socket) = 0;

  /// Calls `done` once, on the loop's thread, when finish() is done and nobody reads the output any
  /// more: the last reader has it all, or has gone.
  virtual void when_unread(std::function<void()> done) = 0;
};

/// On `loop`, which they share.
std::shared_ptr<served_guest_streams>
make_served_guest_streams(std::shared_ptr<event_loop> loop, stream_callbacks callbacks,
                          const guest_stream_options& options = {});

/// A factory over `loop`, which it and all its streams share.
std::shared_ptr<guest_stream_factory>
make_linux_guest_streams(std::shared_ptr<event_loop> loop,
                         const guest_stream_options& options = {});

} // namespace crosvisor::io
