// SPDX-License-Identifier: Apache-2.0
// Reads what a rotating_file kept, from another process too.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/door_messages.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace crosvisor::io {

/// Reads NAME.3, NAME.2, NAME.1 and NAME, oldest first and as one stream, and goes on with what is
/// written later. Files are known by their inodes, so nothing is lost or read twice while they are
/// rotated, as long as the reader is no more behind than the files that are kept; what was rotated
/// away before that is skipped, and counted. Use from one thread at a time.
class log_reader {
public:
  /// @param dir duplicated.
  /// @param from_end begins after what is there already.
  static result<log_reader> open(int dir, std::string name, bool from_end = false);

  /// The same, going on at `from`; what it says is rotated away, or never was there, counts as a
  /// gap.
  static result<log_reader> open_at(int dir, std::string name, const log_position& from);

  /// Where the next read begins, for open_at().
  log_position position() const;

  /// Reads up to `size` bytes; 0: there is no more at present.
  std::size_t read(char* into, std::size_t size);

  /// Waits until there may be more, or `bound` is over. The first call returns at once: what is
  /// written is watched only from then on.
  void wait(std::chrono::milliseconds bound);

  /// How often files were rotated away unread.
  unsigned gaps() const noexcept { return gaps_; }

private:
  log_reader(unique_fd dir, std::string name) : dir_(std::move(dir)), name_(std::move(name)) {}

  int age_of_current() const;
  unique_fd open_age(int age) const;
  std::string name_of(int age) const;
  unique_fd next_file();
  unique_fd oldest_file() const;

  unique_fd dir_;
  unique_fd watch_; // An inotify, where the host has one to spare.
  bool watches_ = false;
  unique_fd file_; // What is being read; none before anything was written.
  std::string name_;
  unsigned gaps_ = 0;
};

} // namespace crosvisor::io
