// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/disk_component.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/image_header.hpp"
#include "crosvisor/io/disk/image_size.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace crosvisor::io {

namespace {

constexpr std::string_view descriptor_folder = "/proc/self/fd/";
constexpr std::uint64_t max_offset = std::numeric_limits<off_t>::max();

result<unique_fd> duplicate(int fd, bool writable) {
  auto flags = ::fcntl(fd, F_GETFD);
  if (flags < 0)
    return last_failure("is not inherited");
  if ((flags & FD_CLOEXEC) != 0)
    return failure{EBADF, "is not inherited: the descriptor is this process's own"};
  auto mode = ::fcntl(fd, F_GETFL);
  if ((mode & O_PATH) != 0 || (mode & O_ACCMODE) == O_WRONLY)
    return failure{EACCES, "is not open for reading"};
  if (writable && (mode & O_ACCMODE) != O_RDWR)
    return failure{EACCES, "is to be written, but is open for reading alone"};
  if (writable && (mode & O_APPEND) != 0)
    return failure{EACCES, "is open for appending"};
  unique_fd own{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
  if (!own)
    return last_failure("can't be duplicated");
  return own;
}

result<unique_fd> open_path(const std::string& path, bool writable) {
  auto mode = writable ? O_RDWR : O_RDONLY;
  unique_fd own{::open(path.c_str(), mode | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
  if (!own)
    return last_failure(writable ? "can't be opened for writing" : "can't be opened");
  return own;
}

/// fallocate(2), with false where the file can't do that.
result<bool> allocate(int fd, int mode, std::uint64_t count, std::uint64_t offset) {
  while (::fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                     static_cast<off_t>(count))
         != 0) {
    if (errno == EINTR)
      continue;
    // A block device takes whole sectors alone.
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == ENODEV || errno == EINVAL)
      return false;
    return last_failure("fallocate");
  }
  return true;
}

} // namespace

std::optional<int> inherited_descriptor(const std::string& path) {
  if (!path.starts_with(descriptor_folder))
    return std::nullopt;
  int number = -1;
  auto* end = path.data() + path.size();
  auto [stopped, why] = std::from_chars(path.data() + descriptor_folder.size(), end, number);
  if (why != std::errc{} || stopped != end || number < 0)
    return std::nullopt;
  return number;
}

result<unique_fd> open_disk_file(const std::string& path, const std::string& folder,
                                 bool writable) {
  auto whole = path.starts_with('/') ? path : folder + '/' + path;
  auto number = inherited_descriptor(whole);
  auto fd = number ? duplicate(*number, writable) : open_path(whole, writable);
  if (!fd)
    return fd;
  if (auto size = file_size(fd->get()); !size)
    return size.why();
  return fd;
}

failure disk_component::named(const failure& why) const {
  return {why.code, name_ + ": " + why.what};
}

failure disk_component::named_at(const failure& why, std::uint64_t offset) const {
  return {why.code, name_ + ", offset " + std::to_string(begin_ + offset) + ": " + why.what};
}

result<disk_component> disk_component::open(const composite_component& from, std::size_t number,
                                            std::uint64_t bytes, const std::string& folder,
                                            const composite_options& options) {
  disk_component made;
  made.name_ = "component " + std::to_string(number) + " " + in_quotes(from.path);
  made.begin_ = from.offset;
  made.bytes_ = bytes;
  made.file_offset_ = from.file_offset;
  made.writable_ = from.writable && options.writable;
  if (from.file_offset > max_offset || bytes > max_offset - from.file_offset)
    return made.named(
      {0, "begins at " + std::to_string(from.file_offset) + " of its file, which no file reaches"});
  auto fd = open_disk_file(from.path, folder, made.writable_);
  if (!fd)
    return made.named(fd.why());
  made.fd_ = std::move(*fd);
  auto size = file_size(made.fd_.get());
  if (!size)
    return made.named(size.why());
  made.file_bytes_ = *size;
  if (auto done = made.set_format(from, options); !done)
    return made.named(done.why());
  return made;
}

result<bool> disk_component::choose_sparse(const composite_component& from,
                                           const composite_options& options) const {
  if (options.sparse) {
    auto number = inherited_descriptor(from.path);
    return number
           && std::find(options.sparse->begin(), options.sparse->end(), *number)
                != options.sparse->end();
  }
  auto header = read_image_header(fd_.get());
  if (!header)
    return header.why();
  return header->magic == image_magic::android_sparse;
}

/// What can be written is not looked at where formats were stated: a guest has written it, who
/// would otherwise choose how it is read.
result<void> disk_component::set_format(const composite_component& from,
                                        const composite_options& options) {
  auto sparse = choose_sparse(from, options);
  if (!sparse)
    return sparse.why();
  if (*sparse && from.writable)
    return failure{0, "is an Android sparse image, which can't be written"};
  if (*sparse && from.file_offset != 0)
    return failure{0, "is an Android sparse image, which can't begin within its file"};
  if (*sparse) {
    auto image = sparse_image::open(fd_.get());
    if (!image)
      return image.why();
    sparse_ = std::move(*image);
    return {};
  }
  if (options.sparse && from.writable)
    return {};
  auto header = read_image_header(fd_.get());
  if (!header)
    return header.why();
  switch (header->magic) {
    case image_magic::none:
    case image_magic::android_sparse: return {};
    default:
      return failure{0, std::string{"is "} + name_of(header->magic)
                          + "; raw and Android sparse images are read"};
  }
}

result<void> disk_component::read(std::span<char> to, std::uint64_t offset) const {
  auto done =
    sparse_ ? sparse_->read(to, offset) : read_all_at(fd_.get(), file_offset_ + offset, to);
  return done ? done : named_at(done.why(), offset);
}

result<void> disk_component::check_within_file(const char* what, std::uint64_t count,
                                               std::uint64_t offset) const {
  if (!writable_)
    return named_at({EPERM, std::string{what} + ": is read-only"}, offset);
  auto begin = file_offset_ + offset;
  if (begin > file_bytes_ || count > file_bytes_ - begin)
    return named_at({EIO, std::string{what} + ": the file ends at " + std::to_string(file_bytes_)},
                    offset);
  return {};
}

result<void> disk_component::write(std::string_view from, std::uint64_t offset) const {
  if (auto fit = check_within_file("write", from.size(), offset); !fit)
    return fit;
  auto done = write_at(fd_.get(), file_offset_ + offset, from);
  return done ? done : named_at(done.why(), offset);
}

result<void> disk_component::write_zeros(std::uint64_t count, std::uint64_t offset) const {
  static constexpr char zeros[64 << 10]{};
  while (count > 0) {
    auto now = std::min<std::uint64_t>(count, sizeof(zeros));
    if (auto done = write_at(fd_.get(), file_offset_ + offset, {zeros, now}); !done)
      return named_at(done.why(), offset);
    offset += now;
    count -= now;
  }
  return {};
}

result<void> disk_component::zero(std::uint64_t count, std::uint64_t offset, bool may_trim) const {
  if (auto fit = check_within_file("zero", count, offset); !fit || count == 0)
    return fit;
  auto mode = may_trim ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
  auto done = allocate(fd_.get(), mode, count, file_offset_ + offset);
  if (!done)
    return named_at(done.why(), offset);
  return *done ? result<void>{} : write_zeros(count, offset);
}

result<void> disk_component::trim(std::uint64_t count, std::uint64_t offset) const {
  if (auto fit = check_within_file("trim", count, offset); !fit || count == 0)
    return fit;
  auto done = allocate(fd_.get(), FALLOC_FL_PUNCH_HOLE, count, file_offset_ + offset);
  if (!done)
    return named_at(done.why(), offset);
  return {};
}

result<void> disk_component::flush() const {
  while (::fdatasync(fd_.get()) != 0)
    if (errno != EINTR)
      return named(last_failure("fdatasync"));
  return {};
}

disk_component::extent disk_component::extent_at(std::uint64_t offset) const {
  auto left = bytes_ - offset;
  if (sparse_) {
    auto part = sparse_->extent_at(offset);
    return part.bytes == 0 ? extent{left, false} : extent{std::min(left, part.bytes), part.zero};
  }
  auto begin = file_offset_ + offset;
  if (begin >= file_bytes_)
    return {left, false}; // Reading there fails, so it is no hole.
  left = std::min(left, file_bytes_ - begin);
  // These change the descriptor's offset, which nothing here goes by.
  auto data = ::lseek(fd_.get(), static_cast<off_t>(begin), SEEK_DATA);
  if (data < 0)
    return {left, errno == ENXIO}; // A hole up to the file's end.
  auto data_at = static_cast<std::uint64_t>(data);
  if (data_at > begin)
    return {std::min(left, data_at - begin), true};
  auto hole = ::lseek(fd_.get(), static_cast<off_t>(begin), SEEK_HOLE);
  if (hole <= data)
    return {left, false};
  return {std::min(left, static_cast<std::uint64_t>(hole) - begin), false};
}

} // namespace crosvisor::io
