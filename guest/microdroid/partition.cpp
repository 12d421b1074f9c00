// SPDX-License-Identifier: Apache-2.0
#include "partition.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

namespace crosvisor::guest {

namespace {

/// How often it is looked for. Only a socket of the kernel's uevents would tell, which asks for
/// more than it gives: nearly always the disks are there before this program is. Android polls as
/// often.
constexpr timespec pause_between{0, 5'000'000};

/// Whether a line of the text is PARTNAME=`label`.
bool has_label(std::string_view text, std::string_view label) {
  constexpr std::string_view key = "PARTNAME=";
  while (!text.empty()) {
    auto size = std::min(text.find('\n'), text.size());
    std::string_view line{text.data(), size};
    if (line.starts_with(key) && line.ends_with(label) && size == key.size() + label.size())
      return true;
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return false;
}

bool device_has_label(const char* folder, const char* device, std::string_view label) {
  char path[512];
  char text[4096];
  std::snprintf(path, sizeof path, "%s/%s/uevent", folder, device);
  auto fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  auto size = read_front(fd, text, sizeof text);
  ::close(fd);
  return size > 0 && has_label({text, static_cast<std::size_t>(size)}, label);
}

} // namespace

partition find_partition(std::string_view label, const char* folder) {
  partition found;
  auto* devices = ::opendir(folder);
  if (devices == nullptr)
    return found;
  while (auto* device = ::readdir(devices)) {
    auto* name = device->d_name;
    if (name[0] == '.' || std::strlen(name) >= sizeof found.name
        || !device_has_label(folder, name, label))
      continue;
    // In the order of their names, since that of a folder is anyone's guess.
    if (!found.found() || std::strcmp(name, found.name) < 0)
      std::memcpy(found.name, name, std::strlen(name) + 1);
  }
  ::closedir(devices);
  if (found.found())
    std::snprintf(found.path, sizeof found.path, "/dev/%s", found.name);
  return found;
}

outcome await_partition(std::string_view label, int milliseconds, partition& found) {
  for (auto left = milliseconds;; left -= 5) {
    found = find_partition(label);
    if (found.found())
      return {};
    if (left <= 0) {
      return wrong(cause::unknown, "there is no partition %.*s", static_cast<int>(label.size()),
                   label.data());
    }
    ::nanosleep(&pause_between, nullptr); // See pause_between; the caller's bound ends it.
  }
}

int open_partition(const partition& from, int flags) {
  return ::open(from.path, flags | O_CLOEXEC);
}

std::int64_t size_of(int fd) {
  return ::lseek(fd, 0, SEEK_END);
}

std::int64_t read_front(int fd, void* data, std::size_t most) {
  std::size_t size = 0;
  while (size < most) {
    auto got = ::pread(fd, static_cast<char*>(data) + size, most - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -1;
    if (got == 0)
      break;
    size += static_cast<std::size_t>(got);
  }
  return static_cast<std::int64_t>(size);
}

} // namespace crosvisor::guest
