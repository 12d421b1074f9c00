// SPDX-License-Identifier: Apache-2.0
// What a file's descriptor allows, and which file it is.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>

namespace crosvisor::io {

/// Whether a descriptor with these status flags (F_GETFL) can be read, can be written.
bool reads(int flags) noexcept;
bool writes(int flags) noexcept;

/// What keeps an image open with these flags from being used, `written` or only read, or nothing:
/// `is not open for writing`.
std::optional<std::string> access_problem(int flags, bool written);

/// Which file it is: two are one if their device numbers are, or their inodes.
struct file_identity {
  dev_t device = 0;
  ino_t inode = 0;

  bool operator==(const file_identity&) const = default;
};

file_identity identity_of(const struct stat& is) noexcept;

/// Whether it is a file of the kernel's own (procfs, sysfs and their like): what is read of it or
/// written to it is decided by who reads and writes as well as by who opened it, so that whoever
/// passes its descriptor would have it done with our rights. Blocks as long as the file system
/// does.
bool is_of_kernel(int fd) noexcept;

/// Whether a file in memory is sealed against being written (F_SEAL_WRITE in fcntl(2)).
bool is_sealed(int fd) noexcept;

/// The same file, opened once more for reading alone. Only regular files and block devices.
result<unique_fd> open_read_only(int fd);

} // namespace crosvisor::io
