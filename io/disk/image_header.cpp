// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/image_header.hpp"

#include "crosvisor/io/disk/byte_order.hpp"
#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/io/file_bytes.hpp"

namespace crosvisor::io {

namespace {

using namespace std::string_view_literals;

constexpr auto qcow2_magic = "QFI\xfb"sv;
constexpr auto sparse_bytes = "\x3a\xff\x26\xed"sv;
constexpr auto zstd_magic = "\x28\xb5\x2f\xfd"sv;
/// Of a zstd skippable frame, after a first byte of 0x50 to 0x5f.
constexpr auto zstd_skippable_tail = "\x2a\x4d\x18"sv;

/// Bit 2 of the incompatible features: an external data file.
constexpr std::uint64_t external_data_file = 1u << 2;

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
  if (bytes.starts_with(sparse_bytes))
    return image_magic::android_sparse;
  return is_zstd(bytes) ? image_magic::zstd : image_magic::none;
}

result<void> check_raw(const image_header& header, vmm_kind vmm, const std::string& what) {
  if (vmm != vmm_kind::crosvm || header.magic == image_magic::none)
    return {};
  return failure{0, what + ": stated as raw, but its first bytes are those of "
                      + name_of(header.magic) + ", and crosvm goes by them; state its format, or "
                      + "use vmm \"qemu\""};
}

result<void> check_qcow2(const image_header& header, vmm_kind vmm, const std::string& what) {
  if (header.magic != image_magic::qcow2)
    return failure{0, what + ": stated as qcow2, but it is none; it looks like "
                        + name_of(header.magic)};
  if (header.backing_file)
    return failure{0, what
                        + ": is a qcow2 with a backing file, which is never followed; make it "
                          "whole with `qemu-img convert -O qcow2`"};
  if (header.data_file)
    return failure{0, what
                        + ": is a qcow2 with an external data file, which is never followed; "
                          "make it whole with `qemu-img convert -O qcow2`"};
  // crosvm reads version 3 alone (disk/src/qcow/mod.rs).
  if (header.version == 3 || (header.version == 2 && vmm == vmm_kind::qemu))
    return {};
  return failure{0, what + ": is a qcow2 of version " + std::to_string(header.version) + ", which "
                      + to_string(vmm) + " doesn't read; convert it with "
                      + "`qemu-img convert -O qcow2 -o compat=1.1`"};
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
  header.version = big_endian<std::uint32_t>(first_bytes, 4);
  header.backing_file = big_endian<std::uint64_t>(first_bytes, 8) != 0;
  // Version 2 ends before the feature bits.
  header.data_file =
    header.version >= 3 && (big_endian<std::uint64_t>(first_bytes, 72) & external_data_file) != 0;
  return header;
}

result<image_header> read_image_header(int fd) {
  auto bytes = read_at(fd, 0, image_header_bytes);
  if (!bytes)
    return bytes.why();
  return parse_image_header(*bytes);
}

result<void> check_image(int fd, image_format format, vmm_kind vmm, const std::string& what) {
  auto header = read_image_header(fd);
  if (!header)
    return failure{header.why().code, what + ": " + header.why().what};
  return format == image_format::raw ? check_raw(*header, vmm, what)
                                     : check_qcow2(*header, vmm, what);
}

} // namespace crosvisor::io
