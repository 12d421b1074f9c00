// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/made_file.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace crosvisor::cli {

namespace {

io::failure failed_on(const std::string& path, int code) {
  auto what = code == EEXIST ? "is there already; it is not touched" : std::strerror(code);
  return {code, io::printable(path, 4096) + ": " + what};
}

} // namespace

io::result<made_file> made_file::make(const std::string& path) {
  io::unique_fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666)};
  if (!fd)
    return failed_on(path, errno);
  return made_file{std::move(fd), path, false};
}

io::result<made_file> made_file::open_existing(const std::string& path) {
  // O_NONBLOCK so that a FIFO without a writer is not waited for.
  constexpr int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  io::unique_fd fd{::open(path.c_str(), O_RDWR | flags)};
  if (!fd && (errno == EACCES || errno == EROFS || errno == EPERM))
    fd = io::unique_fd{::open(path.c_str(), O_RDONLY | flags)};
  if (!fd)
    return failed_on(path, errno);
  return made_file{std::move(fd), path, true};
}

io::result<made_file> made_file::open_or_make(const std::string& path) {
  auto there = open_existing(path);
  if (there || there.why().code != ENOENT)
    return there;
  auto made = make(path);
  // Somebody else was faster.
  return made || made.why().code != EEXIST ? std::move(made) : open_existing(path);
}

made_file::made_file(made_file&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::move(other.path_)),
      was_there_(other.was_there_),
      removed_at_end_(std::exchange(other.removed_at_end_, false)) {}

made_file::~made_file() {
  if (removed_at_end_)
    ::unlink(path_.c_str());
}

io::result<io::unique_fd> made_file::duplicate() const {
  io::unique_fd copy{::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3)};
  if (!copy)
    return io::last_failure(io::printable(path_, 4096));
  return copy;
}

} // namespace crosvisor::cli
