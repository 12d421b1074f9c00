// SPDX-License-Identifier: Apache-2.0
// Each VM's runtime directory, and the folder that holds them.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <memory>
#include <string>

namespace crosvisor::io {

/// A directory (mode 0700) of one VM, removed with all that is in it when its owner lets go of it,
/// which takes as long as removing files does. Everything is done relative to descriptors, and no
/// symlink is followed on the way. Use from one thread at a time.
class runtime_dir {
public:
  /// @param parent the folder that has `name` in it; shared, so that its lock lasts as long as
  /// this.
  runtime_dir(std::shared_ptr<const unique_fd> parent, unique_fd self, std::string name,
              std::string path);
  runtime_dir(const runtime_dir&) = delete;
  runtime_dir& operator=(const runtime_dir&) = delete;
  ~runtime_dir();

  /// The directory's own descriptor, for openat and friends.
  int fd() const noexcept { return self_.get(); }

  /// For people and for programs that need a path; not for opening files by this process.
  const std::string& path() const noexcept { return path_; }

private:
  std::shared_ptr<const unique_fd> parent_;
  unique_fd self_;
  std::string name_;
  std::string path_;
};

/// The folder of all runtime directories, held by one process at a time.
class runtime_root {
public:
  /// Makes `path` (0700; its parent must exist) where it is missing, refuses one that is a symlink,
  /// belongs to another user or can be written by others, takes its lock, and removes what an
  /// earlier process left in it. Fails with EBUSY when another living process holds it.
  /// @param path absolute.
  static result<std::shared_ptr<runtime_root>> open(const std::string& path);

  virtual ~runtime_root() = default;

  /// Makes a directory for a VM; `name` is one path component, doesn't begin with a dot, and must
  /// not exist (EEXIST). Any thread.
  virtual result<std::unique_ptr<runtime_dir>> make(const std::string& name) = 0;

  virtual const std::string& path() const noexcept = 0;
};

} // namespace crosvisor::io
