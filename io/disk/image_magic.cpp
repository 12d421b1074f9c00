// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/image_magic.hpp"

#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/io/disk/positional_io.hpp"
#include "crosvisor/io/disk/sparse_header.hpp"

#include <array>
#include <cstring>
#include <string>

namespace crosvisor::io {

namespace {

using namespace std::string_view_literals;

constexpr auto qcow2_magic = "QFI\xfb"sv;
constexpr auto zstd_magic = "\x28\xb5\x2f\xfd"sv;
/// Of a zstd skippable frame, after a first byte of 0x50 to 0x5f.
constexpr auto zstd_skippable_tail = "\x2a\x4d\x18"sv;

/// Bit 2 of the incompatible features: an external data file.
constexpr std::uint64_t external_data_file = 1u << 2;

/// A big-endian number of `size` bytes; 0 where the bytes end before it does.
std::uint64_t big_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  if (bytes.size() < at + size)
    return 0;
  std::uint64_t value = 0;
  for (auto byte : bytes.substr(at, size))
    value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

bool is_zstd(std::string_view bytes) {
  return bytes.starts_with(zstd_magic)
         || (bytes.size() >= 4 && (bytes[0] & 0xf0) == 0x50
             && bytes.substr(1, 3) == zstd_skippable_tail);
}

image_magic magic_of(std::string_view bytes) {
  if (bytes.starts_with(composite_magic))
    return image_magic::composite;
  if (bytes.starts_with(qcow2_magic))
    return image_magic::qcow2;
  if (bytes.starts_with(sparse_magic))
    return image_magic::android_sparse;
  return is_zstd(bytes) ? image_magic::zstd : image_magic::none;
}

} // namespace

const char* name_of(image_magic magic) {
  switch (magic) {
    case image_magic::qcow2: return "qcow2";
    case image_magic::composite: return "a crosvm composite disk";
    case image_magic::android_sparse: return "an Android sparse image";
    case image_magic::zstd: return "zstd";
    case image_magic::none: break;
  }
  return "raw";
}

image_header parse_image_header(std::string_view first_bytes) {
  image_header header;
  header.magic = magic_of(first_bytes);
  if (header.magic != image_magic::qcow2)
    return header;
  header.version = static_cast<std::uint32_t>(big_endian(first_bytes, 4, 4));
  header.backing_file = big_endian(first_bytes, 8, 8) != 0;
  // Version 2 ends before the feature bits.
  header.data_file =
    header.version >= 3 && (big_endian(first_bytes, 72, 8) & external_data_file) != 0;
  return header;
}

result<image_header> read_image_header(int fd) {
  std::array<char, image_header_bytes> bytes{};
  auto have = read_some_at(fd, bytes, 0);
  if (!have)
    return failure{have.why().code,
                   "can't be read: " + std::string{std::strerror(have.why().code)}};
  return parse_image_header({bytes.data(), *have});
}

} // namespace crosvisor::io
