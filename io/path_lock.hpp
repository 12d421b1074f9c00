// SPDX-License-Identifier: Apache-2.0
// A lock that one process at a time holds for a path.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <string>

namespace crosvisor::io {

/// The file `PATH.lock`, locked (flock) and removed when its holder lets go of it. A holder that
/// was killed leaves the file, unlocked, and the next one takes it over. Whoever opened a file that
/// was removed before they had its lock tries again, so that no two hold a path's.
class path_lock {
public:
  /// Blocks for a second at most, for a holder that is just ending. EBUSY where another process
  /// holds it: `"PATH" is in use by process 4711`.
  static result<path_lock> take(const std::string& path);

  path_lock(path_lock&&) = default;
  path_lock& operator=(path_lock&&) = delete;
  ~path_lock();

private:
  path_lock(unique_fd file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}

  unique_fd file_;
  std::string name_;
};

} // namespace crosvisor::io
