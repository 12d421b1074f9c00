// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/path_lock.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/timed_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace crosvisor::io {

namespace {

/// Whether `name` is still the file that was opened.
bool is_there(int file, const std::string& name) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(file, &opened) == 0 && ::lstat(name.c_str(), &named) == 0
         && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/// What the holder wrote: its process id, for people.
std::string holder_of(int file) {
  char text[16] = {};
  auto got = ::pread(file, text, sizeof text, 0);
  std::string pid;
  for (ssize_t i = 0; i < got && text[i] >= '0' && text[i] <= '9'; ++i)
    pid += text[i];
  return pid.empty() ? "another process" : "process " + pid;
}

void write_pid(int file) {
  auto pid = std::to_string(::getpid()) + '\n';
  // For people alone: nobody is stopped by what it says.
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, pid.data(), pid.size(), 0) < 0)
    log::debug("a lock's holder can't be written into it");
}

/// A child that a holder was making when it was killed has its lock, too, until it executes its
/// program: so whoever takes over from one that was killed waits for a while.
constexpr std::chrono::seconds patience{1};

} // namespace

result<path_lock> path_lock::take(const std::string& path) {
  constexpr int tries = 100;
  auto name = path + ".lock";
  auto flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  for (int i = 0; i < tries; ++i) {
    unique_fd file{::open(name.c_str(), flags, 0600)};
    if (!file)
      return last_failure("lock " + in_quotes(name));
    if (!lock_within(file.get(), patience)) {
      if (errno == EWOULDBLOCK)
        return failure{EBUSY, in_quotes(path) + " is in use by " + holder_of(file.get())};
      return last_failure("lock " + in_quotes(name));
    }
    if (is_there(file.get(), name)) {
      write_pid(file.get());
      return path_lock{std::move(file), std::move(name)};
    }
  }
  return failure{EBUSY, "lock " + in_quotes(name) + " is removed again and again"};
}

path_lock::~path_lock() {
  // While it is held, so that nobody has locked what is removed.
  if (file_ && is_there(file_.get(), name_))
    ::unlink(name_.c_str());
}

} // namespace crosvisor::io
