// SPDX-License-Identifier: Apache-2.0
// One end of a connection between a keeper and a service.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::io {

/// A packet as keeper_protocol.hpp has it.
struct keeper_packet {
  std::string text;  ///< The JSON object; without a NUL.
  std::string bytes; ///< Of a `chunk`.
  /// What came with it, or goes with it and is closed then. One that came has none when some were
  /// lost, since this process may open no more.
  std::vector<unique_fd> fds = {};
};

/// Sends and receives packets; used on the loop's thread alone. What the other side doesn't take
/// yet waits here, up to a bound (max_waiting_bytes); beyond it the connection ends, since a side
/// that is stuck must not cost the other its memory. Kept alive by what it waits for, until close()
/// or the end.
class keeper_channel {
public:
  static constexpr std::size_t max_waiting_bytes = 8u << 20;
  /// How many descriptors may wait.
  static constexpr std::size_t max_waiting_fds = 256;

  /// Called on the loop's thread, none of them from within make(), send() or close(). A packet that
  /// is no JSON object of a known shape is the receiver's to refuse: it calls close().
  struct handlers {
    std::function<void(keeper_packet)> on_packet;
    /// The other side has gone, is stuck or sends what is no packet; at most once, and nothing
    /// follows. Not after close().
    std::function<void()> on_end;
    /// What waited has been sent. May be null.
    std::function<void()> on_drained = {};
  };

  /// @param socket connected; becomes non-blocking.
  static result<std::shared_ptr<keeper_channel>> make(event_loop& loop, unique_fd socket,
                                                      handlers told);

  virtual ~keeper_channel() = default;

  /// Sends it now or when there is room. In vain after the end. A packet that is longer than
  /// max_keeper_packet_bytes or has more than 32 descriptors ends the connection.
  virtual void send(keeper_packet packet) = 0;

  /// How many bytes wait to be sent.
  virtual std::size_t waiting_bytes() const = 0;

  /// Sends nothing more, and closes.
  virtual void close() = 0;
};

} // namespace crosvisor::io
