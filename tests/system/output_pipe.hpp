// SPDX-License-Identifier: Apache-2.0
// A pipe that a guest writes to, and what a test waits for in it.
#pragma once

#include "crosvisor/io/unique_fd.hpp"

#include <chrono>
#include <string>

namespace crosvisor::tests {

/// Reads only while it is told to wait, so that what nobody waits for stays in the pipe.
class output_pipe {
public:
  using milliseconds = std::chrono::milliseconds;

  output_pipe();

  /// Makes it hold as little as can be, so that a writer soon waits for its reader.
  void make_small();

  /// The end to write to, once.
  io::unique_fd take_writer() { return std::move(writer_); }

  /// Reads until `text` has come, or `bound` is over; what came earlier counts.
  /// @returns whether it came.
  bool wait_for(const std::string& text, milliseconds bound);

  /// Reads until nothing has come for `quiet`, or `bound` is over.
  /// @returns whether it was quiet.
  bool wait_for_silence(milliseconds quiet, milliseconds bound);

  /// Reads until every writer has closed it, or `bound` is over.
  /// @returns whether they have.
  bool wait_for_end(milliseconds bound);

  /// Nobody reads any more.
  void close_reader() { reader_.reset(); }

  /// All that came so far.
  const std::string& text() const noexcept { return text_; }

private:
  enum class outcome { bytes, silence, end };
  outcome read_some(milliseconds bound);

  io::unique_fd reader_;
  io::unique_fd writer_;
  std::string text_;
};

} // namespace crosvisor::tests
