// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/image_size.hpp"

#include "crosvisor/io/disk/image_header.hpp"
#include "crosvisor/io/disk/sparse_header.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace crosvisor::io {

namespace {

failure bad(const std::string& what, const std::string& problem) {
  return {0, what + ": " + problem};
}

result<std::uint64_t> raw_size(int fd, const std::string& bytes, const std::string& what) {
  auto magic = parse_image_header(bytes).magic;
  if (magic == image_magic::android_sparse)
    return bad(what, "stated as raw, but its first bytes are those of an Android sparse image; "
                     "state its format as sparse");
  if (magic != image_magic::none)
    return bad(what, std::string{"stated as raw, but its first bytes are those of "}
                       + name_of(magic) + "; a partition is raw or sparse");
  auto size = file_size(fd);
  if (!size)
    return failure{size.why().code, what + ": " + size.why().what};
  return size;
}

result<std::uint64_t> sparse_size(const std::string& bytes, const std::string& what) {
  auto header = parse_sparse_header(bytes);
  if (!header)
    return bad(what, header.why().what);
  return header->image_bytes();
}

} // namespace

result<std::uint64_t> file_size(int fd) {
  struct stat is;
  std::uint64_t bytes = 0;
  if (::fstat(fd, &is) != 0)
    return last_failure("fstat");
  if (S_ISREG(is.st_mode))
    return static_cast<std::uint64_t>(is.st_size);
  if (!S_ISBLK(is.st_mode))
    return failure{0, "is neither a file nor a block device"};
  if (::ioctl(fd, BLKGETSIZE64, &bytes) != 0)
    return last_failure("its size can't be read");
  return bytes;
}

result<std::uint64_t> image_size(int fd, image_format format, const std::string& what) {
  if (format == image_format::qcow2)
    return bad(what, "stated as qcow2; a partition is raw or sparse");
  // Its type is looked at before it is read, which may block.
  if (auto size = file_size(fd); !size)
    return failure{size.why().code, what + ": " + size.why().what};
  auto bytes = read_at(fd, 0, image_header_bytes);
  if (!bytes)
    return failure{bytes.why().code, what + ": " + bytes.why().what};
  return format == image_format::sparse ? sparse_size(*bytes, what) : raw_size(fd, *bytes, what);
}

} // namespace crosvisor::io
