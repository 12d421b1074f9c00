// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/operator_file.hpp"

#include "crosvisor/io/config/bounded_read.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace crosvisor::io {

namespace {

/// Whether this says something of the host rather than of the path.
bool is_host_fault(int code) {
  return code == EMFILE || code == ENFILE || code == ENOMEM || code == EIO || code == EINTR;
}

failure open_problem(const std::string& what, int code) {
  std::string words = code == ENOENT  ? "no such file"
                      : code == ELOOP ? "is a symbolic link, or leads round in circles"
                                      : std::strerror(code);
  return {is_host_fault(code) ? code : 0, what + ": " + words};
}

result<void> check_writers(const struct stat& is, const std::string& what) {
  if ((is.st_mode & S_IWOTH) != 0)
    return failure{0, what + ": can be written by everybody; chmod it to o-w"};
  if ((is.st_mode & S_IWGRP) != 0 && is.st_gid != ::getegid())
    return failure{0, what + ": can be written by group " + std::to_string(is.st_gid)
                        + "; chmod it to g-w"};
  return {};
}

result<unique_fd> open_checked(int folder, const std::string& path, const std::string& what,
                               int flags, mode_t type) {
  unique_fd fd{::openat(folder, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | flags)};
  if (!fd)
    return open_problem(what, errno);
  struct stat is;
  if (::fstat(fd.get(), &is) != 0)
    return last_failure(what);
  if ((is.st_mode & S_IFMT) != type)
    return failure{0,
                   what + (S_ISDIR(is.st_mode) ? ": is a directory" : ": is not a regular file")};
  if (auto safe = check_writers(is, what); !safe)
    return safe.why();
  return fd;
}

} // namespace

result<unique_fd> open_operator_file(int folder, const std::string& path, const std::string& what,
                                     symlinks last) {
  auto flags = O_NONBLOCK | (last == symlinks::refused ? O_NOFOLLOW : 0);
  auto fd = open_checked(folder, path, what, flags, S_IFREG);
  // A VMM shares these flags, and expects reads that block.
  if (fd && ::fcntl(fd->get(), F_SETFL, 0) != 0)
    return last_failure(what);
  return fd;
}

result<std::string> read_operator_file(int folder, const std::string& path, const std::string& what,
                                       std::size_t most, symlinks last) {
  auto fd = open_operator_file(folder, path, what, last);
  if (!fd)
    return fd.why();
  auto text = read_bounded(fd->get(), most + 1);
  return text ? std::move(text) : failure{text.why().code, what + ": " + text.why().what};
}

result<unique_fd> open_operator_folder(const std::string& path, const std::string& what) {
  if (!path.starts_with('/'))
    return failure{0, what + ": expected an absolute path"};
  return open_checked(AT_FDCWD, path, what, O_DIRECTORY, S_IFDIR);
}

} // namespace crosvisor::io
