// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/positional_io.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

namespace crosvisor::io {

namespace {

constexpr std::uint64_t max_offset = std::numeric_limits<off_t>::max();

bool fits(std::size_t count, std::uint64_t offset) {
  return offset <= max_offset && count <= max_offset - offset;
}

} // namespace

result<std::size_t> read_some_at(int fd, std::span<char> to, std::uint64_t offset) {
  if (!fits(to.size(), offset))
    return failure{EIO, "read: there is no such offset"};
  std::size_t have = 0;
  while (have < to.size()) {
    auto n = ::pread(fd, to.data() + have, to.size() - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return last_failure("read");
    if (n == 0)
      break;
    have += static_cast<std::size_t>(n);
  }
  return have;
}

result<void> read_all_at(int fd, std::span<char> to, std::uint64_t offset) {
  auto have = read_some_at(fd, to, offset);
  if (!have)
    return have.why();
  if (*have < to.size())
    return failure{EIO, "read: the file ends at " + std::to_string(offset + *have)};
  return {};
}

result<void> write_all_at(int fd, std::string_view from, std::uint64_t offset) {
  if (!fits(from.size(), offset))
    return failure{EFBIG, "write: there is no such offset"};
  while (!from.empty()) {
    auto n = ::pwrite(fd, from.data(), from.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return last_failure("write");
    if (n == 0)
      return failure{EIO, "write: nothing was written"};
    from.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

result<std::uint64_t> size_of_file(int fd) {
  struct stat is {};
  if (::fstat(fd, &is) != 0)
    return last_failure("stat");
  if (S_ISREG(is.st_mode))
    return static_cast<std::uint64_t>(is.st_size);
  if (!S_ISBLK(is.st_mode))
    return failure{EINVAL, "is neither a regular file nor a block device"};
  std::uint64_t bytes = 0;
  if (::ioctl(fd, BLKGETSIZE64, &bytes) != 0)
    return last_failure("size of the block device");
  return bytes;
}

} // namespace crosvisor::io
