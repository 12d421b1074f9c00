// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/open_file.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <iterator>

namespace crosvisor::io {

bool reads(int flags) noexcept {
  return (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_WRONLY;
}

bool writes(int flags) noexcept {
  return (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_RDONLY;
}

std::optional<std::string> access_problem(int flags, bool written) {
  if (!reads(flags))
    return "is not open for reading";
  if (written && !writes(flags))
    return "is not open for writing";
  // Linux appends whatever the offset of pwrite says.
  if (written && (flags & O_APPEND) != 0)
    return "is open for appending";
  return std::nullopt;
}

file_identity identity_of(const struct stat& is) noexcept {
  return S_ISBLK(is.st_mode) ? file_identity{is.st_rdev, 0} : file_identity{is.st_dev, is.st_ino};
}

bool is_of_kernel(int fd) noexcept {
  // statfs(2), linux/magic.h
  constexpr unsigned long kinds[] = {
    PROC_SUPER_MAGIC,     SYSFS_MAGIC,    CGROUP_SUPER_MAGIC,   CGROUP2_SUPER_MAGIC,
    DEBUGFS_MAGIC,        TRACEFS_MAGIC,  SECURITYFS_MAGIC,     SELINUX_MAGIC,
    SMACK_MAGIC,          AAFS_MAGIC,     EFIVARFS_MAGIC,       BPF_FS_MAGIC,
    NSFS_MAGIC,           BINFMTFS_MAGIC, RDTGROUP_SUPER_MAGIC, PSTOREFS_MAGIC,
    BINDERFS_SUPER_MAGIC, 0x62656570 /* configfs */};
  struct statfs is;
  return ::fstatfs(fd, &is) == 0
         && std::find(std::begin(kinds), std::end(kinds), static_cast<unsigned long>(is.f_type))
              != std::end(kinds);
}

bool is_sealed(int fd) noexcept {
  auto seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0;
}

result<unique_fd> open_read_only(int fd) {
  auto path = "/proc/self/fd/" + std::to_string(fd);
  unique_fd own{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  if (!own)
    return last_failure("can't be opened for reading alone");
  return own;
}

} // namespace crosvisor::io
