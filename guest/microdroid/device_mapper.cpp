// SPDX-License-Identifier: Apache-2.0
#include "device_mapper.hpp"

#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/loop.h>
#include <unistd.h>

namespace crosvisor::guest {

namespace {

/// A call to device-mapper, with room for one target (linux/dm-ioctl.h).
struct mapper_call {
  dm_ioctl head{};
  dm_target_spec target{};
  char text[1024] = "";

  explicit mapper_call(const char* name) {
    head.version[0] = DM_VERSION_MAJOR;
    head.data_size = sizeof *this;
    head.data_start = offsetof(mapper_call, target);
    std::snprintf(head.name, sizeof head.name, "%s", name);
  }

  bool make(unsigned long request, std::uint32_t flags = 0) {
    auto control = ::open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
    if (control < 0)
      return false;
    head.flags = flags;
    auto made = ::ioctl(control, request, this) == 0;
    auto why = errno;
    ::close(control);
    errno = why;
    return made;
  }
};

bool load_table(const char* name, const char* target, std::uint64_t sectors,
                const char* parameters) {
  mapper_call call{name};
  call.head.target_count = 1;
  call.target.length = sectors;
  if (std::strlen(parameters) >= sizeof call.text
      || std::strlen(target) >= sizeof call.target.target_type) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::strcpy(call.target.target_type, target);
  std::strcpy(call.text, parameters);
  return call.make(DM_TABLE_LOAD, DM_READONLY_FLAG);
}

/// A free loop device. @returns its descriptor, or -1 with errno.
int open_free_loop(char* path, std::size_t most) {
  auto control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0)
    return -1;
  auto number = ::ioctl(control, LOOP_CTL_GET_FREE);
  auto why = errno;
  ::close(control);
  errno = why;
  if (number < 0)
    return -1;
  std::snprintf(path, most, "/dev/loop%d", number);
  return ::open(path, O_RDONLY | O_CLOEXEC);
}

} // namespace

bool make_loop(int file, std::uint64_t offset, std::uint64_t size, char* path, std::size_t most) {
  auto loop = open_free_loop(path, most);
  if (loop < 0)
    return false;
  loop_config config{};
  config.fd = static_cast<std::uint32_t>(file);
  config.info.lo_offset = offset;
  config.info.lo_sizelimit = size;
  config.info.lo_flags = LO_FLAGS_READ_ONLY;
  auto made = ::ioctl(loop, LOOP_CONFIGURE, &config) == 0;
  auto why = errno;
  ::close(loop);
  errno = why;
  return made;
}

bool make_mapped(const char* name, const char* target, std::uint64_t sectors,
                 const char* parameters, char* path, std::size_t most) {
  mapper_call created{name};
  if (!created.make(DM_DEV_CREATE))
    return false;
  if (!load_table(name, target, sectors, parameters) || !mapper_call{name}.make(DM_DEV_SUSPEND)) {
    auto why = errno;
    mapper_call{name}.make(DM_DEV_REMOVE);
    errno = why;
    return false;
  }
  std::snprintf(path, most, "/dev/dm-%u", gnu_dev_minor(created.head.dev));
  return true;
}

bool mapped_status(const char* name, char* text, std::size_t most) {
  mapper_call call{name};
  if (!call.make(DM_TABLE_STATUS))
    return false;
  // What comes has the form of what is loaded: a target, and then its text.
  call.text[sizeof call.text - 1] = '\0';
  std::snprintf(text, most, "%s", call.head.target_count > 0 ? call.text : "");
  return true;
}

} // namespace crosvisor::guest
