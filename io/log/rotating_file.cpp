// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/rotating_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace crosvisor::io {

namespace {

constexpr std::size_t kept_lost_bytes = 4096;

// The last bytes of a file, or none.
std::string last_bytes(int file, std::size_t most) {
  struct stat is;
  if (file < 0 || ::fstat(file, &is) != 0)
    return {};
  std::string text(std::min(most, static_cast<std::size_t>(is.st_size)), '\0');
  auto at = is.st_size - static_cast<off_t>(text.size());
  auto got = ::pread(file, text.data(), text.size(), at);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

} // namespace

rotating_file::rotating_file(std::shared_ptr<const unique_fd> dir, std::string name,
                             log_bounds bounds)
    : dir_(std::move(dir)), name_(std::move(name)), bounds_(bounds) {
  bounds_.files = std::max(bounds_.files, 1u);
  bounds_.file_bytes = std::max<std::uint64_t>(bounds_.file_bytes, 1);
}

void rotating_file::append(std::string_view bytes) {
  if (put_note())
    put(bytes);
  if (!bytes.empty())
    lose(bytes);
}

void rotating_file::begin_file() {
  if ((file_ || open()) && size_ > 0)
    rotate(); // If it can't, the next one is behind what is there.
}

// Whether nothing is left to be said of what was lost.
bool rotating_file::put_note() {
  if (unreported_ == 0)
    return true;
  auto text = "\n[crosvisor: " + std::to_string(unreported_)
              + " bytes were lost here: " + std::strerror(error_) + "]\n";
  std::string_view note = text;
  if (!put(note))
    return false;
  unreported_ = 0;
  lost_tail_ = {};
  return true;
}

// Takes what could be written away from `bytes`; true when that is all of it.
bool rotating_file::put(std::string_view& bytes) {
  while (!bytes.empty()) {
    if (!file_ && !open())
      return false;
    if (size_ >= bounds_.file_bytes) {
      if (!rotate())
        return false;
      continue;
    }
    auto room =
      static_cast<std::size_t>(std::min<std::uint64_t>(bounds_.file_bytes - size_, bytes.size()));
    auto done = ::write(file_.get(), bytes.data(), room);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return error_ = done < 0 ? errno : EIO, false;
    size_ += static_cast<std::uint64_t>(done);
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

bool rotating_file::open() {
  auto flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  unique_fd file{::openat(dir_->get(), name_.c_str(), flags, 0600)};
  struct stat is;
  if (!file || ::fstat(file.get(), &is) != 0)
    return error_ = errno, false;
  if (!S_ISREG(is.st_mode))
    return error_ = EEXIST, false;
  file_ = std::move(file);
  size_ = static_cast<std::uint64_t>(is.st_size);
  return true;
}

// From the oldest to the newest, so that a reader who looks from the newest to the oldest meanwhile
// misses no file.
bool rotating_file::rotate() {
  file_.reset();
  if (bounds_.files == 1 && ::unlinkat(dir_->get(), name_.c_str(), 0) != 0 && errno != ENOENT)
    return error_ = errno, false;
  for (auto age = bounds_.files - 1; age > 0; --age) {
    auto from = name_of(age - 1), to = name_of(age);
    if (::renameat(dir_->get(), from.c_str(), dir_->get(), to.c_str()) != 0 && errno != ENOENT)
      return error_ = errno, false;
  }
  return true;
}

void rotating_file::lose(std::string_view bytes) {
  lost_ += bytes.size();
  unreported_ += bytes.size();
  lost_tail_.append(bytes.substr(bytes.size() - std::min(bytes.size(), kept_lost_bytes)));
  if (lost_tail_.size() > kept_lost_bytes)
    lost_tail_.erase(0, lost_tail_.size() - kept_lost_bytes);
}

std::string rotating_file::name_of(unsigned age) const {
  return age == 0 ? name_ : name_ + "." + std::to_string(age);
}

std::string rotating_file::tail(std::size_t most) const {
  auto text = lost_tail_.substr(lost_tail_.size() - std::min(lost_tail_.size(), most));
  text.insert(0, last_bytes(file_.get(), most - text.size()));
  if (text.size() < most && bounds_.files > 1 && file_) {
    unique_fd older{::openat(dir_->get(), name_of(1).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    text.insert(0, last_bytes(older.get(), most - text.size()));
  }
  return text;
}

} // namespace crosvisor::io
