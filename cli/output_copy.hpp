// SPDX-License-Identifier: Apache-2.0
// Brings a payload's output to where it is wanted.
#pragma once

#include "crosvisor/io/unique_fd.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace crosvisor::cli {

/// Copies bytes from one descriptor to another, unchanged, until the end of file, on a thread of
/// its own: a slow reader is waited for, however long it takes. A reader that is gone, or a
/// descriptor that breaks, ends the copy and closes its source. Any thread.
class output_copy {
public:
  /// @param to where it goes; taken over.
  /// @param name what to call that in a sentence.
  /// @param say told, once, what went wrong; on any thread.
  output_copy(io::unique_fd to, std::string name, std::function<void(const std::string&)> say);
  output_copy(const output_copy&) = delete;
  output_copy& operator=(const output_copy&) = delete;
  /// A read or write that blocks is left behind; nothing is said any more.
  ~output_copy();

  /// Begins to copy; once.
  /// @param on_written told of each piece, how many bytes of it were written; on any thread.
  void begin(io::unique_fd from, std::function<void(std::size_t)> on_written = nullptr);

  /// Lets wait() return though not all was copied.
  void give_up();

  /// Waits until the copy has ended, or was given up and has not ended so much later. Returns at
  /// once where none was begun.
  /// @returns whether it has ended.
  bool wait(std::chrono::milliseconds grace);

private:
  struct shared;

  std::shared_ptr<shared> shared_;
};

} // namespace crosvisor::cli
