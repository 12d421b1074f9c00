// SPDX-License-Identifier: Apache-2.0
// A log file of bounded size: NAME, and what was rotated away from it.
#pragma once

#include "crosvisor/io/log/console_log.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// Appends to NAME in a directory. Before NAME would grow past its bound it is renamed to NAME.1,
/// that to NAME.2, and so on; the oldest goes. The newest file is made (0600) with its first byte,
/// and no symlink is followed. Blocks as long as writing a file does. Use from one thread at a
/// time.
///
/// What the disk refuses is lost and counted; each append tries again, and the first that succeeds
/// begins with a line that says how much is missing.
class rotating_file {
public:
  /// @param bounds at least one file of one byte.
  rotating_file(std::shared_ptr<const unique_fd> dir, std::string name, log_bounds bounds);

  void append(std::string_view bytes);

  /// What is appended next begins a file of its own.
  void begin_file();

  /// The last bytes that were appended, lost ones too, at most `most` of them.
  std::string tail(std::size_t most) const;

  /// How many bytes were lost altogether.
  std::uint64_t lost_bytes() const noexcept { return lost_; }

private:
  bool open();
  bool rotate();
  bool put(std::string_view& bytes);
  bool put_note();
  void lose(std::string_view bytes);
  std::string name_of(unsigned age) const;

  std::shared_ptr<const unique_fd> dir_;
  unique_fd file_;
  std::string name_;
  log_bounds bounds_;
  std::uint64_t size_ = 0; // Of NAME, while it is open.
  std::uint64_t lost_ = 0;
  std::uint64_t unreported_ = 0; // Lost, and not said so in the file yet.
  std::string lost_tail_;
  int error_ = 0; // Why it was lost.
};

} // namespace crosvisor::io
