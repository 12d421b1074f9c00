// SPDX-License-Identifier: Apache-2.0
// A file that a command makes: whole in the end, or gone.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <string>

namespace crosvisor::cli {

/// A regular file, open for reading and writing. One that was made here is removed again unless
/// keep() was called. Move only.
class made_file {
public:
  /// Makes the file, by the user's umask; one that is there is a failure with the code EEXIST, and
  /// stays as it is.
  static io::result<made_file> make(const std::string& path);

  /// The same, but one that is there is opened and never removed; for reading alone where it can't
  /// be written.
  static io::result<made_file> open_or_make(const std::string& path);

  made_file(made_file&& other) noexcept;
  made_file& operator=(made_file&&) = delete;
  ~made_file();

  /// Whether it was there before.
  bool was_there() const noexcept { return was_there_; }

  /// A descriptor of its own for the same open file.
  io::result<io::unique_fd> duplicate() const;

  /// It is whole now, and stays.
  void keep() noexcept { removed_at_end_ = false; }

private:
  made_file(io::unique_fd fd, std::string path, bool was_there)
      : fd_(std::move(fd)),
        path_(std::move(path)),
        was_there_(was_there),
        removed_at_end_(!was_there) {}

  static io::result<made_file> open_existing(const std::string& path);

  io::unique_fd fd_;
  std::string path_;
  bool was_there_;
  bool removed_at_end_;
};

} // namespace crosvisor::cli
