// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/log_reader.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace crosvisor::io {

namespace {

// More files than anybody keeps.
constexpr int max_age = 1000;

// How often to look where nothing tells of changes.
constexpr std::chrono::milliseconds polling{100};

// A file that is not taken for another which was given its inode later: the time of its making,
// where the file system keeps that, is in it, spread over all bits by an odd factor (2^64 divided
// by the golden ratio). Never 0.
std::uint64_t number_of(int file) {
  constexpr std::uint64_t factor = 0x9e37'79b9'7f4a'7c15;
  struct statx is;
  if (::statx(file, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &is) != 0)
    return 1;
  std::uint64_t made = 0;
  if ((is.stx_mask & STATX_BTIME) != 0)
    made = static_cast<std::uint64_t>(is.stx_btime.tv_sec) * 1'000'000'000 + is.stx_btime.tv_nsec;
  return std::max<std::uint64_t>(is.stx_ino ^ (made * factor), 1);
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

unique_fd watch_dir(int dir) {
  unique_fd watch{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  auto path = "/proc/self/fd/" + std::to_string(dir);
  auto changes = IN_MODIFY | IN_CREATE | IN_MOVED_TO;
  if (!watch || ::inotify_add_watch(watch.get(), path.c_str(), changes) < 0)
    return {};
  return watch;
}

} // namespace

result<log_reader> log_reader::open(int dir, std::string name, bool from_end) {
  unique_fd own{::fcntl(dir, F_DUPFD_CLOEXEC, 3)};
  if (!own)
    return last_failure("log directory");
  log_reader reader{std::move(own), std::move(name)};
  // NAME is missing between a rotation and the next byte.
  for (auto age = 0; from_end && age < 2 && !reader.file_; ++age)
    reader.file_ = reader.open_age(age);
  if (reader.file_)
    ::lseek(reader.file_.get(), 0, SEEK_END);
  return reader;
}

result<log_reader> log_reader::open_at(int dir, std::string name, const log_position& from) {
  auto reader = open(dir, std::move(name));
  if (!reader || from.file == 0)
    return reader;
  // From the newest on, as age_of_current() looks.
  unique_fd file;
  for (auto age = 0, missing = 0; age < max_age && missing < 2; ++age) {
    file = reader->open_age(age);
    missing = file ? 0 : missing + 1;
    if (file && number_of(file.get()) == from.file)
      break;
    file.reset();
  }
  struct stat is;
  if (file && ::fstat(file.get(), &is) == 0
      && from.offset <= static_cast<std::uint64_t>(is.st_size)) {
    ::lseek(file.get(), static_cast<off_t>(from.offset), SEEK_SET);
    reader->file_ = std::move(file);
  } else {
    ++reader->gaps_;
  }
  return reader;
}

log_position log_reader::position() const {
  if (!file_)
    return {};
  return {number_of(file_.get()), static_cast<std::uint64_t>(::lseek(file_.get(), 0, SEEK_CUR))};
}

std::string log_reader::name_of(int age) const {
  return age == 0 ? name_ : name_ + "." + std::to_string(age);
}

unique_fd log_reader::open_age(int age) const {
  auto flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  return unique_fd{::openat(dir_.get(), name_of(age).c_str(), flags)};
}

// The number that the file being read has now; -1 when it was rotated away. Looks from the newest
// on: files only grow older, so one that is renamed meanwhile is met at its next number. One number
// may be missing for a moment.
int log_reader::age_of_current() const {
  struct stat own, other;
  if (::fstat(file_.get(), &own) != 0)
    return -1;
  for (auto age = 0, missing = 0; age < max_age && missing < 2; ++age) {
    if (::fstatat(dir_.get(), name_of(age).c_str(), &other, AT_SYMLINK_NOFOLLOW) != 0)
      ++missing;
    else if (same_file(own, other))
      return age;
    else
      missing = 0;
  }
  return -1;
}

unique_fd log_reader::oldest_file() const {
  struct stat is;
  auto oldest = -1;
  for (auto age = 0; age <= oldest + 2 && age < max_age; ++age)
    if (::fstatat(dir_.get(), name_of(age).c_str(), &is, AT_SYMLINK_NOFOLLOW) == 0)
      oldest = age;
  return oldest < 0 ? unique_fd{} : open_age(oldest);
}

// The one that is newer by one than that being read; none when there is none yet.
unique_fd log_reader::next_file() {
  constexpr auto tries = 20; // Each is one rotation between two looks.
  for (auto i = 0; i < tries; ++i) {
    auto age = age_of_current();
    if (age < 0) {
      ++gaps_;
      return oldest_file();
    }
    auto next = age > 0 ? open_age(age - 1) : unique_fd{};
    // After a rotation between the two looks this would be the one after the next.
    if (!next || age_of_current() == age)
      return next;
  }
  return {};
}

std::size_t log_reader::read(char* into, std::size_t size) {
  if (!file_)
    file_ = oldest_file();
  while (file_) {
    auto got = ::read(file_.get(), into, size);
    if (got < 0 && errno == EINTR)
      continue;
    if (got > 0)
      return static_cast<std::size_t>(got);
    auto next = next_file();
    if (!next)
      return 0;
    // It may have been written to, and then rotated, since we met its end.
    got = ::read(file_.get(), into, size);
    if (got > 0)
      return static_cast<std::size_t>(got); // The next one is found again after this.
    file_ = std::move(next);
  }
  return 0;
}

void log_reader::wait(std::chrono::milliseconds bound) {
  if (!std::exchange(watches_, true)) {
    watch_ = watch_dir(dir_.get());
    return;
  }
  if (!watch_)
    bound = std::min(bound, polling);
  pollfd changed{watch_.get(), POLLIN, 0};
  // A negative descriptor is ignored by poll(2), which then waits for its bound.
  if (::poll(&changed, 1, static_cast<int>(bound.count())) <= 0)
    return;
  alignas(inotify_event) char events[4096];
  while (::read(watch_.get(), events, sizeof(events)) > 0)
    ;
}

} // namespace crosvisor::io
