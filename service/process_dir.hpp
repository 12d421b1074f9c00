// SPDX-License-Identifier: Apache-2.0
// One process's own folder below the user's runtime directory.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <string>

namespace crosvisor {

/// The folder `run-PID` below a runtime directory that several processes share, removed with all
/// that is in it when its owner lets go of it.
///
/// Its owner holds a lock (flock) on the folder itself for as long as it lives, which the kernel
/// takes back however the process ends: so whoever comes next knows what is stale, and removes it.
/// Making and removing folders happens under a lock on the shared directory, held for that long
/// alone, so that nobody removes a folder between its making and its locking.
class process_dir {
public:
  /// Makes the shared directory `parent` (0700) where it is missing, removes what processes left
  /// there that have ended, and makes a folder for this one.
  static io::result<process_dir> make(const std::string& parent);

  process_dir(process_dir&&) = default;
  process_dir& operator=(process_dir&&) = delete;
  ~process_dir();

  const std::string& path() const noexcept { return path_; }

  /// The shared directory.
  int parent() const noexcept { return parent_.get(); }

private:
  process_dir(io::unique_fd parent, io::unique_fd self, std::string name, std::string path)
      : parent_(std::move(parent)),
        self_(std::move(self)),
        name_(std::move(name)),
        path_(std::move(path)) {}

  io::unique_fd parent_;
  io::unique_fd self_;
  std::string name_;
  std::string path_;
};

} // namespace crosvisor
