// SPDX-License-Identifier: Apache-2.0
// Directories of our own: made, opened, listed and removed without following anything that others
// may have put there.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <string>
#include <vector>

namespace crosvisor::io {

/// Opens the directory `path`, made (0700) where it is missing; its parent must exist and may be
/// reached through symlinks, since that is the administrator's. Refused: a relative path, a
/// symlink, something that is no directory, one of another user's, one that others can write.
result<unique_fd> open_private_dir(const std::string& path);

/// The same for `name`, one path component, in the directory `parent`; `path` is for people.
result<unique_fd> open_private_dir_at(int parent, const std::string& name, const std::string& path);

/// The names in a directory, without `.` and `..`, in no order.
result<std::vector<std::string>> list_dir(int dir);

/// How many directories deep remove_tree goes; a deeper tree is not removed whole (ELOOP).
inline constexpr int max_removed_depth = 32;

/// Removes `name` in `parent` and all that is in it. Follows no symlink, leaves what is mounted
/// there alone (EXDEV, EBUSY), and removes as much as it can; the failure is the first one. What is
/// not there is removed already.
result<void> remove_tree(int parent, const std::string& name);

/// Removes all that is in `dir`, the same way.
result<void> empty_dir(int dir);

} // namespace crosvisor::io
