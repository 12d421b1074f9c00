// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/file_bytes.hpp"

#include "crosvisor/io/failpoint.hpp"

#include <unistd.h>

#include <limits>

namespace crosvisor::io {

namespace {

bool beyond_files(std::uint64_t offset, std::size_t size) {
  constexpr auto last = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  return offset > last || size > last - offset;
}

ssize_t write_piece(int fd, std::uint64_t offset, std::string_view bytes) {
  if (auto code = reach(failpoint::write_file)) {
    errno = code;
    return -1;
  }
  auto size = at_most(failpoint::write_file, bytes.size());
  return ::pwrite(fd, bytes.data(), size, static_cast<off_t>(offset));
}

} // namespace

result<std::size_t> read_some_at(int fd, std::uint64_t offset, std::span<char> to) {
  if (beyond_files(offset, to.size()))
    return std::size_t{0};
  std::size_t have = 0;
  while (have < to.size()) {
    auto n = ::pread(fd, to.data() + have, to.size() - have, static_cast<off_t>(offset + have));
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

result<std::string> read_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  auto have = read_some_at(fd, offset, bytes);
  if (!have)
    return have.why();
  bytes.resize(*have);
  return bytes;
}

result<void> read_all_at(int fd, std::uint64_t offset, std::span<char> to) {
  auto have = read_some_at(fd, offset, to);
  if (!have)
    return have.why();
  if (*have < to.size())
    return failure{EIO, "can't be read: the file ends at " + std::to_string(offset + *have)};
  return {};
}

result<void> write_at(int fd, std::uint64_t offset, std::string_view bytes) {
  if (beyond_files(offset, bytes.size()))
    return failure{EFBIG, std::string{"can't be written: "} + std::strerror(EFBIG)};
  while (!bytes.empty()) {
    auto n = write_piece(fd, offset, bytes);
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

byte_source bytes_of_file(int fd) {
  return [fd](std::uint64_t offset, std::size_t size) { return read_at(fd, offset, size); };
}

byte_source bytes_of_text(std::string_view bytes) {
  return [bytes](std::uint64_t offset, std::size_t size) -> result<std::string> {
    if (offset >= bytes.size())
      return std::string{};
    return std::string{bytes.substr(static_cast<std::size_t>(offset), size)};
  };
}

} // namespace crosvisor::io
