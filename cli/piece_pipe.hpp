// SPDX-License-Identifier: Apache-2.0
// A payload's output that comes in pieces, as a descriptor to read.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/payload_status.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace crosvisor::cli {

/// Both ends of a pipe. What was granted fits into it, so that nobody who puts a piece ever waits.
/// Use from one thread at a time.
class piece_pipe {
public:
  static io::result<piece_pipe> make();

  /// How many bytes may be granted and not yet read.
  std::uint64_t window() const noexcept { return window_; }

  /// The end to read; once.
  io::unique_fd take_reader() { return std::move(reader_); }

  /// Puts a piece in; after the last one the reader finds the end of file.
  /// @returns what is wrong with it, one sentence, or where something is missing; empty where
  /// nothing is. After one that was never granted, nothing more is taken.
  std::string put(const output_chunk& piece);

private:
  piece_pipe(io::unique_fd reader, io::unique_fd writer, std::uint64_t window)
      : reader_(std::move(reader)), writer_(std::move(writer)), window_(window) {}

  io::unique_fd reader_;
  io::unique_fd writer_;
  std::uint64_t window_;
};

} // namespace crosvisor::cli
