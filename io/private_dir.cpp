// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/private_dir.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace crosvisor::io {

namespace {

constexpr int open_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string named(const std::string& path) {
  return "directory \"" + path + "\"";
}

result<void> check_private(int dir, const std::string& path) {
  struct stat is;
  if (::fstat(dir, &is) != 0)
    return last_failure(named(path));
  if (is.st_uid != ::geteuid())
    return failure{EPERM, named(path) + " belongs to uid " + std::to_string(is.st_uid)
                            + ", not to this process's"};
  if ((is.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return failure{EPERM, named(path) + " can be written by others; chmod it to 0700"};
  return {};
}

// Opens a directory inside `parent` that is no mount point. The kernel's own check sees bind mounts
// of the same filesystem, which device numbers don't show; kernels before 5.6 compare those.
int open_inside(int parent, const char* name) {
  open_how how{};
  how.flags = open_flags;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
  auto fd = static_cast<int>(::syscall(SYS_openat2, parent, name, &how, sizeof(how)));
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
    return fd;
  fd = ::openat(parent, name, open_flags);
  struct stat outside, inside;
  if (fd >= 0 && ::fstat(parent, &outside) == 0 && ::fstat(fd, &inside) == 0
      && outside.st_dev == inside.st_dev)
    return fd;
  if (fd >= 0) {
    ::close(fd);
    errno = EXDEV;
  }
  return -1;
}

result<void> empty_at(int dir, int depth);

result<void> remove_at(int parent, const char* name, int depth) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT)
    return {};
  // EISDIR for a directory; EPERM where the filesystem says it as POSIX does.
  if (errno != EISDIR && errno != EPERM)
    return last_failure(name);
  if (depth == 0)
    return failure{ELOOP, std::string{name} + ": too many directories deep"};
  unique_fd self{open_inside(parent, name)};
  if (!self)
    return last_failure(name);
  auto emptied = empty_at(self.get(), depth - 1);
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT && emptied)
    return last_failure(name);
  return emptied;
}

result<void> empty_at(int dir, int depth) {
  auto names = list_dir(dir);
  if (!names)
    return names.why();
  result<void> first;
  for (auto& name : *names)
    if (auto done = remove_at(dir, name.c_str(), depth); !done && first)
      first = done;
  return first;
}

} // namespace

result<unique_fd> open_private_dir(const std::string& path) {
  if (path.empty() || path.front() != '/')
    return failure{EINVAL, named(path) + ": not an absolute path"};
  auto end = path.find_last_not_of('/');
  if (end == std::string::npos)
    return failure{EINVAL, named(path) + ": not a directory of its own"};
  auto slash = path.find_last_of('/', end);
  auto parent_path = path.substr(0, slash + 1);
  unique_fd parent{::open(parent_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!parent)
    return last_failure(named(parent_path));
  return open_private_dir_at(parent.get(), path.substr(slash + 1, end - slash), path);
}

result<unique_fd> open_private_dir_at(int parent, const std::string& name,
                                      const std::string& path) {
  auto made = ::mkdirat(parent, name.c_str(), 0700) == 0;
  if (!made && errno != EEXIST)
    return last_failure(named(path));
  unique_fd dir{::openat(parent, name.c_str(), open_flags)};
  if (!dir && (errno == ELOOP || errno == ENOTDIR))
    return failure{ENOTDIR, named(path) + " is a symlink or not a directory"};
  if (!dir)
    return last_failure(named(path));
  if (made && ::fchmod(dir.get(), 0700) != 0) // Whatever the umask is.
    return last_failure(named(path));
  if (auto checked = check_private(dir.get(), path); !checked)
    return checked.why();
  return dir;
}

result<std::vector<std::string>> list_dir(int dir) {
  // A description of its own: reading moves no position that others use.
  auto fd = ::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::unique_ptr<DIR, int (*)(DIR*)> stream{fd < 0 ? nullptr : ::fdopendir(fd), ::closedir};
  if (!stream)
    return last_failure("directory");
  std::vector<std::string> names;
  errno = 0;
  while (auto* entry = ::readdir(stream.get())) {
    std::string name{entry->d_name};
    if (name != "." && name != "..")
      names.push_back(std::move(name));
  }
  if (errno != 0)
    return last_failure("directory");
  return names;
}

result<void> remove_tree(int parent, const std::string& name) {
  return remove_at(parent, name.c_str(), max_removed_depth);
}

result<void> empty_dir(int dir) {
  return empty_at(dir, max_removed_depth);
}

} // namespace crosvisor::io
