// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/zip_input.hpp"

#include "crosvisor/io/apk/zip_directory.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace crosvisor::io {

namespace {

// PKWARE's APPNOTE.TXT, 4.3.15 and 4.3.16: the end record, at most 65,535 bytes of comment behind
// it, and the locator of Zip64 before it.
constexpr std::string_view end_magic{"PK\5\6", 4};
constexpr std::string_view locator_magic{"PK\6\7", 4};
constexpr std::size_t end_bytes = 22;
constexpr std::size_t locator_bytes = 20;

/// A Zip64 record states how many entries there are in 64 bits, and libzip takes memory for them.
result<void> check_end(std::string_view tail) {
  bool found = false;
  for (auto at = tail.find(end_magic); at != tail.npos; at = tail.find(end_magic, at + 1)) {
    found = found || tail.size() - at >= end_bytes;
    if (at >= locator_bytes && tail.substr(at - locator_bytes).starts_with(locator_magic))
      return failure{0, "is a Zip64 archive, which no APK is"};
  }
  if (!found)
    return failure{0, "has no ZIP directory at its end: it is cut short, or no APK"};
  return {};
}

} // namespace

result<zip_input> zip_input::open(int fd) {
  struct stat is;
  if (::fstat(fd, &is) != 0)
    return failure{0, "came without a descriptor"};
  if (!S_ISREG(is.st_mode))
    return failure{0, "is not a regular file"};
  if (is.st_size == 0)
    return failure{0, "is empty"};
  zip_input input;
  input.size_ = static_cast<std::uint64_t>(is.st_size);
  if (input.size_ > max_archive_bytes)
    return failure{0, std::to_string(is.st_size) + " bytes; an APK has at most "
                        + std::to_string(max_archive_bytes)};
  auto flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_WRONLY)
    return failure{0, "is not open for reading"};
  input.fd_.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!input.fd_)
    return last_failure("can't be duplicated");
  input.tail_.resize(std::min<std::uint64_t>(input.size_, max_zip_end_bytes));
  auto got = read_some_at(input.fd_.get(), input.size_ - input.tail_.size(), input.tail_);
  if (!got)
    return got.why();
  if (auto sound = check_end(input.tail_); !sound)
    return sound.why();
  return input;
}

zip_int64_t zip_input::answer(void* input, void* data, zip_uint64_t size,
                              zip_source_cmd_t command) {
  auto& self = *static_cast<zip_input*>(input);
  switch (command) {
    case ZIP_SOURCE_OPEN: self.at_ = 0; return 0;
    case ZIP_SOURCE_READ: return self.read(data, size);
    case ZIP_SOURCE_STAT: return self.stat(data, size);
    case ZIP_SOURCE_SEEK: return self.seek(data, size);
    case ZIP_SOURCE_TELL: return static_cast<zip_int64_t>(self.at_);
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&self.error_, data, size);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE: return 0;
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(
        ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
        ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, -1);
    default: zip_error_set(&self.error_, ZIP_ER_OPNOTSUPP, 0); return -1;
  }
}

zip_int64_t zip_input::read(void* data, std::uint64_t size) {
  auto wanted = std::min(size, at_ < size_ ? size_ - at_ : 0);
  if (wanted > left_ || calls_left_ == 0) {
    zip_error_set(&error_, ZIP_ER_READ, EFBIG);
    return -1;
  }
  auto tail_begins = size_ - tail_.size();
  auto* to = static_cast<char*>(data);
  auto before = at_ < tail_begins ? std::min(wanted, tail_begins - at_) : 0;
  auto got = read_some_at(fd_.get(), at_, {static_cast<char*>(to), before});
  if (!got || *got < before) {
    zip_error_set(&error_, got ? ZIP_ER_EOF : ZIP_ER_READ, got ? 0 : got.why().code);
    return -1;
  }
  std::memcpy(to + before,
              tail_.data() + (at_ + before > tail_begins ? at_ + before - tail_begins : 0),
              wanted - before);
  at_ += wanted;
  left_ -= wanted;
  --calls_left_;
  return static_cast<zip_int64_t>(wanted);
}

zip_int64_t zip_input::seek(void* data, std::uint64_t size) {
  auto to = zip_source_seek_compute_offset(at_, size_, data, size, &error_);
  if (to < 0)
    return -1;
  at_ = static_cast<std::uint64_t>(to);
  return 0;
}

zip_int64_t zip_input::stat(void* data, std::uint64_t size) {
  auto* stat = ZIP_SOURCE_GET_ARGS(zip_stat_t, data, size, &error_);
  if (stat == nullptr)
    return -1;
  zip_stat_init(stat);
  stat->size = size_;
  stat->valid = ZIP_STAT_SIZE;
  return sizeof(*stat);
}

} // namespace crosvisor::io
