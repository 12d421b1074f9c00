// SPDX-License-Identifier: Apache-2.0
// Reads what is kept of VMs' logs, a piece at a time.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/door_messages.hpp"

#include <functional>
#include <memory>
#include <string>

namespace crosvisor::io {

/// Reads pieces of the logs below a state directory, in the background: between two pieces it keeps
/// nothing. Any thread; nothing blocks but its destructor, which waits for the reads that are under
/// way and so is not for a completion to call.
class kept_log_reader {
public:
  /// Called once, on any thread; ENOENT: no logs of such a VM are kept.
  using completion = std::function<void(result<log_piece>)>;

  /// @param state_dir as log_store has it; log files are opened without following symlinks.
  static std::shared_ptr<kept_log_reader> make(std::string state_dir);

  virtual ~kept_log_reader() = default;

  /// Reads the piece that `query` asks for. More than max_waiting_log_reads that wait are refused
  /// with EBUSY.
  virtual void read(log_query query, completion done) = 0;
};

inline constexpr std::size_t max_waiting_log_reads = 256;

} // namespace crosvisor::io
