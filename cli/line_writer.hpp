// SPDX-License-Identifier: Apache-2.0
// Writes lines to a descriptor whose reader may be slow, stopped or gone.
#pragma once

#include "crosvisor/io/unique_fd.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace crosvisor::cli {

/// Writes on a thread of its own, so that nobody who adds a line ever waits. Any thread.
///
/// At most 1,024 lines wait for a slow reader; what comes then is dropped, and flush() tells. When
/// nobody reads any more (EPIPE) or the descriptor breaks, the rest is dropped too.
class line_writer {
public:
  /// @param fd written and not closed; it must be open until this and its thread have ended.
  explicit line_writer(int fd);
  /// The same with a descriptor of its own.
  explicit line_writer(io::unique_fd fd);
  line_writer(const line_writer&) = delete;
  line_writer& operator=(const line_writer&) = delete;
  /// Drops what is not written; a write that blocks is left behind.
  ~line_writer();

  /// Adds `line` and a line break.
  void add(std::string line);

  /// Waits until everything is written or dropped, at most `bound`.
  /// @returns whether all of it was written.
  bool flush(std::chrono::milliseconds bound);

  /// Whether nobody reads any more.
  bool broken() const;

private:
  struct shared;
  void launch();

  std::shared_ptr<shared> shared_;
};

} // namespace crosvisor::cli
