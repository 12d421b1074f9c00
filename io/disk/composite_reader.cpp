// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/composite_reader.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/io/disk/image_size.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

namespace crosvisor::io {

namespace {

constexpr std::uint64_t max_disk_bytes = std::numeric_limits<std::int64_t>::max();

std::string folder_of(const std::string& path) {
  auto slash = path.rfind('/');
  if (slash == path.npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

result<std::string> read_whole(const std::string& path) {
  auto fd = open_disk_file(path, ".", false);
  if (!fd)
    return fd.why();
  auto size = file_size(fd->get());
  if (!size)
    return size.why();
  // One byte more, which says that there is too much.
  return read_at(fd->get(), 0, std::min<std::uint64_t>(*size, max_composite_file_bytes + 1));
}

result<composite_file> read_composite_file(const std::string& path) {
  auto bytes = read_whole(path);
  if (!bytes)
    return failure{bytes.why().code, "composite disk " + in_quotes(path) + ": " + bytes.why().what};
  auto file = parse_composite_file(*bytes);
  if (!file)
    return failure{file.why().code, in_quotes(path) + ": " + file.why().what};
  if (file->size_bytes > max_disk_bytes)
    return failure{0, in_quotes(path) + ": composite disk: has " + std::to_string(file->size_bytes)
                        + " bytes, more than a disk can have"};
  return file;
}

} // namespace

result<composite_reader> composite_reader::open(const std::string& path,
                                                const composite_options& options) {
  auto file = read_composite_file(path);
  if (!file)
    return file.why();
  composite_reader made;
  made.size_bytes_ = file->size_bytes;
  auto folder = folder_of(path);
  for (std::size_t i = 0; i < file->components.size(); ++i) {
    const auto& from = file->components[i];
    auto end = i + 1 < file->components.size() ? file->components[i + 1].offset : file->size_bytes;
    auto component = disk_component::open(from, i, end - from.offset, folder, options);
    if (!component)
      return failure{component.why().code, in_quotes(path) + ": " + component.why().what};
    made.components_.push_back(std::move(*component));
  }
  return made;
}

bool composite_reader::writable() const noexcept {
  return std::any_of(components_.begin(), components_.end(),
                     [](const auto& one) { return one.writable(); });
}

result<void>
composite_reader::for_each_part(std::uint64_t count, std::uint64_t offset,
                                const std::function<result<void>(const part&)>& each) const {
  if (offset > size_bytes_ || count > size_bytes_ - offset)
    return failure{EINVAL, "the disk ends at " + std::to_string(size_bytes_)};
  auto behind =
    std::upper_bound(components_.begin(), components_.end(), offset,
                     [](std::uint64_t at, const auto& one) { return at < one.begin(); });
  std::uint64_t done = 0;
  for (auto component = behind - 1; done < count; ++component) {
    auto at = offset + done - component->begin();
    auto bytes = std::min(count - done, component->bytes() - at);
    if (auto result = each({&*component, at, bytes, done}); !result)
      return result;
    done += bytes;
  }
  return {};
}

result<void> composite_reader::read(std::span<char> to, std::uint64_t offset) const {
  return for_each_part(to.size(), offset, [&](const part& one) {
    return one.component->read(to.subspan(one.done, one.bytes), one.at);
  });
}

result<void> composite_reader::check_writable(std::uint64_t count, std::uint64_t offset) const {
  return for_each_part(count, offset, [&](const part& one) -> result<void> {
    if (one.component->writable())
      return {};
    return failure{EPERM, one.component->name() + ", offset " + std::to_string(offset + one.done)
                            + ": is read-only"};
  });
}

result<void> composite_reader::write(std::string_view from, std::uint64_t offset) const {
  if (auto may = check_writable(from.size(), offset); !may)
    return may;
  return for_each_part(from.size(), offset, [&](const part& one) {
    return one.component->write(from.substr(one.done, one.bytes), one.at);
  });
}

result<void> composite_reader::zero(std::uint64_t count, std::uint64_t offset,
                                    bool may_trim) const {
  if (auto may = check_writable(count, offset); !may)
    return may;
  return for_each_part(count, offset, [&](const part& one) {
    return one.component->zero(one.bytes, one.at, may_trim);
  });
}

result<void> composite_reader::trim(std::uint64_t count, std::uint64_t offset) const {
  if (auto may = check_writable(count, offset); !may)
    return may;
  return for_each_part(count, offset,
                       [&](const part& one) { return one.component->trim(one.bytes, one.at); });
}

/// Every one that can be written, whether or not it was: what another thread has begun to flush is
/// not on the disk yet, so that no mark can be taken off before.
result<void> composite_reader::flush() const {
  result<void> first;
  for (const auto& component : components_)
    if (component.writable())
      if (auto done = component.flush(); !done && first)
        first = done;
  return first;
}

result<void> composite_reader::extents(std::uint64_t count, std::uint64_t offset,
                                       const std::function<bool(const extent&)>& each) const {
  auto goes_on = true;
  return for_each_part(count, offset, [&](const part& one) -> result<void> {
    for (std::uint64_t seen = 0; goes_on && seen < one.bytes;) {
      auto next = one.component->extent_at(one.at + seen);
      auto bytes = std::min(next.bytes, one.bytes - seen);
      goes_on = each({offset + one.done + seen, bytes, next.hole});
      seen += bytes;
    }
    return {};
  });
}

} // namespace crosvisor::io
