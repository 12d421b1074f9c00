// SPDX-License-Identifier: Apache-2.0
#include "identity.hpp"

#include "byte_reader.hpp"
#include "partition.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <unistd.h>

namespace crosvisor::guest {

namespace {

constexpr std::uint64_t sector = 512;
constexpr std::string_view magic = "Android-VM-instance";
constexpr std::uint64_t version = 1;
constexpr unsigned char our_uuid[16] = {0xb2, 0xa3, 0xc1, 0xde, 0x5d, 0x0f, 0x4b, 0x0c,
                                        0x9c, 0x5e, 0x6f, 0x1a, 0x8d, 0x3e, 0x7c, 0x42};

/// Where a partition of the image lies, its header first.
struct place {
  std::uint64_t at = sector;
  std::uint64_t size = 0; ///< Of the content.
  bool is_there = false;
};

constexpr std::uint64_t filled_up(std::uint64_t size) {
  return (size + sector - 1) / sector * sector;
}

bool read_exactly(int image, void* data, std::uint64_t size, std::uint64_t at) {
  errno = EIO; // For what ends too early.
  return ::pread(image, data, size, static_cast<off_t>(at)) == static_cast<ssize_t>(size);
}

bool write_exactly(int image, const void* data, std::uint64_t size, std::uint64_t at) {
  errno = EIO;
  return ::pwrite(image, data, size, static_cast<off_t>(at)) == static_cast<ssize_t>(size)
         && ::fsync(image) == 0;
}

outcome check_image(int image, std::uint64_t size) {
  unsigned char head[sector];
  if (size < 2 * sector || !read_exactly(image, head, sizeof head, 0))
    return wrong(cause::unknown, "the instance image has no room for its header");
  byte_reader reader{head};
  auto begin = reader.take(magic.size());
  if (std::memcmp(begin.data(), magic.data(), magic.size()) != 0)
    return wrong(cause::unknown, "the instance image does not begin with \"%s\"", magic.data());
  if (auto found = reader.little_endian(2); found != version)
    return wrong(cause::unknown, "the instance image has version %u, and only 1 is known",
                 static_cast<unsigned>(found));
  return {};
}

/// Our partition; where there is none, the place for it.
outcome find_ours(int image, std::uint64_t size, place& found) {
  for (found = {}; found.at <= size - sector;) {
    unsigned char head[sector];
    if (!read_exactly(image, head, sizeof head, found.at))
      return wrong_by_errno(cause::unknown, "can't read the instance image");
    byte_reader reader{head};
    auto uuid = reader.take(sizeof our_uuid);
    found.size = reader.little_endian(8);
    static constexpr unsigned char nobody[sizeof our_uuid] = {};
    if (std::memcmp(uuid.data(), nobody, sizeof nobody) == 0)
      return {};
    if (found.size > size - sector - found.at)
      break;
    found.is_there = std::memcmp(uuid.data(), our_uuid, sizeof our_uuid) == 0;
    if (found.is_there)
      return {};
    found.at += sector + filled_up(found.size);
  }
  return wrong(cause::unknown, "the instance image is damaged or full");
}

outcome compare(int image, const place& ours, std::string_view identity) {
  static char kept[most_identity];
  auto fits = ours.size == identity.size() && ours.size <= sizeof kept;
  if (fits && !read_exactly(image, kept, ours.size, ours.at + sector))
    return wrong_by_errno(cause::unknown, "can't read the instance image");
  if (!fits || std::memcmp(kept, identity.data(), identity.size()) != 0)
    return wrong(cause::changed, "the instance image is of another payload");
  return {};
}

/// The content first: a header that is there has all of its content.
outcome write(int image, std::uint64_t size, const place& at, std::string_view identity) {
  static unsigned char content[most_identity];
  unsigned char head[sector] = {};
  auto filled = filled_up(identity.size());
  if (filled > sizeof content || filled > size - sector - at.at)
    return wrong(cause::unknown, "the instance image has no room for the payload's identity");
  std::memcpy(content, identity.data(), identity.size());
  std::memcpy(head, our_uuid, sizeof our_uuid);
  for (std::size_t i = 0; i < 8; ++i)
    head[sizeof our_uuid + i] = static_cast<unsigned char>(identity.size() >> (8 * i));
  if (!write_exactly(image, content, filled, at.at + sector)
      || !write_exactly(image, head, sizeof head, at.at))
    return wrong_by_errno(cause::unknown, "can't write to the instance image");
  return {};
}

} // namespace

outcome keep_identity(int image, std::string_view identity) {
  auto size = size_of(image);
  if (size < 0)
    return wrong_by_errno(cause::unknown, "can't read the instance image");
  auto bytes = static_cast<std::uint64_t>(size);
  place ours;
  auto kept = check_image(image, bytes);
  if (kept.good())
    kept = find_ours(image, bytes, ours);
  if (!kept.good())
    return kept;
  return ours.is_there ? compare(image, ours, identity) : write(image, bytes, ours, identity);
}

} // namespace crosvisor::guest
