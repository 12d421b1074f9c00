// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/file_at.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <cerrno>

namespace crosvisor::io {

result<std::size_t> read_at(int fd, void* to, std::size_t size, std::uint64_t offset) {
  std::size_t have = 0;
  while (have < size) {
    auto n =
      ::pread(fd, static_cast<char*>(to) + have, size - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return last_failure("can't be read");
    if (n == 0)
      break;
    have += static_cast<std::size_t>(n);
  }
  return have;
}

result<void> write_at(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    auto n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return last_failure("can't be written");
    if (n == 0)
      return failure{EIO, "can't be written: it takes no bytes"};
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

} // namespace crosvisor::io
