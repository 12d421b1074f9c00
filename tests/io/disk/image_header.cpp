// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/image_header.hpp"

#include "crosvisor/io/unique_fd.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/mman.h>

#undef CAF_SUITE
#define CAF_SUITE io.disk.image_header

using namespace crosvisor;
using namespace crosvisor::io;
using namespace std::string_literals;

namespace {

std::string big_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (auto shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    text += static_cast<char>(value >> shift);
  return text;
}

// The fields up to the incompatible features, as the format's description has them.
std::string qcow2(std::uint32_t version, std::uint64_t backing_offset = 0,
                  std::uint64_t incompatible = 0) {
  return "QFI\xfb" + big_endian(version, 4) + big_endian(backing_offset, 8) + std::string(56, '\0')
         + big_endian(incompatible, 8) + std::string(24, '\0');
}

unique_fd image(const std::string& content) {
  unique_fd fd{::memfd_create("image", MFD_CLOEXEC)};
  CAF_REQUIRE_EQUAL(::pwrite(fd.get(), content.data(), content.size(), 0),
                    static_cast<ssize_t>(content.size()));
  return fd;
}

std::string check(const std::string& content, image_format format, vmm_kind vmm) {
  auto fd = image(content);
  auto checked = check_image(fd.get(), format, vmm, "disks[0] \"d\"");
  CAF_CHECK_EQUAL(::lseek(fd.get(), 0, SEEK_CUR), 0);
  return checked ? "" : checked.why().what;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

const std::string mbr(512, '\x90');

} // namespace

CAF_TEST(each magic is seen) {
  CAF_CHECK(parse_image_header(mbr).magic == image_magic::none);
  CAF_CHECK(parse_image_header("").magic == image_magic::none);
  CAF_CHECK(parse_image_header("QFI").magic == image_magic::none);
  CAF_CHECK(parse_image_header("QFI\xfb").magic == image_magic::qcow2);
  CAF_CHECK(parse_image_header("composite_disk\x1d\x08\x01").magic == image_magic::composite);
  CAF_CHECK(parse_image_header("\x3a\xff\x26\xed").magic == image_magic::android_sparse);
  CAF_CHECK(parse_image_header("\x28\xb5\x2f\xfd").magic == image_magic::zstd);
  CAF_CHECK(parse_image_header("\x5e\x2a\x4d\x18").magic == image_magic::zstd);
  CAF_CHECK(parse_image_header("\x4e\x2a\x4d\x18").magic == image_magic::none);
}

CAF_TEST(a qcow2 header is read field by field) {
  auto plain = parse_image_header(qcow2(3));
  CAF_CHECK_EQUAL(plain.version, 3u);
  CAF_CHECK(!plain.backing_file);
  CAF_CHECK(!plain.data_file);
  CAF_CHECK(parse_image_header(qcow2(3, 512)).backing_file);
  CAF_CHECK(parse_image_header(qcow2(2, std::uint64_t{1} << 40)).backing_file);
  CAF_CHECK(parse_image_header(qcow2(3, 0, 4)).data_file);
  CAF_CHECK(!parse_image_header(qcow2(3, 0, 3)).data_file);
  // Version 2 has other things there.
  CAF_CHECK(!parse_image_header(qcow2(2, 0, 4)).data_file);
  // Cut short, what is missing reads as zero.
  CAF_CHECK_EQUAL(parse_image_header(qcow2(3, 512).substr(0, 12)).backing_file, false);
}

CAF_TEST(a qcow2 must be one and whole) {
  for (auto vmm : {vmm_kind::crosvm, vmm_kind::qemu}) {
    CAF_CHECK_EQUAL(check(qcow2(3), image_format::qcow2, vmm), "");
    CAF_CHECK(has(check(mbr, image_format::qcow2, vmm), "is none; it looks like raw"));
    CAF_CHECK(has(check("", image_format::qcow2, vmm), "is none"));
    CAF_CHECK(has(check(qcow2(3, 512), image_format::qcow2, vmm), "backing file"));
    CAF_CHECK(has(check(qcow2(3, 0, 4), image_format::qcow2, vmm), "external data file"));
    CAF_CHECK(has(check(qcow2(4), image_format::qcow2, vmm), "version 4"));
  }
  CAF_CHECK_EQUAL(check(qcow2(2), image_format::qcow2, vmm_kind::qemu), "");
  CAF_CHECK(has(check(qcow2(2), image_format::qcow2, vmm_kind::crosvm), "version 2"));
}

CAF_TEST(a raw disk that a guest made look like another format is refused to crosvm) {
  for (const auto& content :
       {qcow2(3), "composite_disk\x1d"s, "\x3a\xff\x26\xed"s, "\x28\xb5\x2f\xfd"s}) {
    CAF_CHECK(has(check(content, image_format::raw, vmm_kind::crosvm), "stated as raw"));
    CAF_CHECK_EQUAL(check(content, image_format::raw, vmm_kind::qemu), "");
  }
  CAF_CHECK_EQUAL(check(mbr, image_format::raw, vmm_kind::crosvm), "");
  CAF_CHECK_EQUAL(check("x", image_format::raw, vmm_kind::crosvm), "");
}

CAF_TEST(a failure starts with what the image is called) {
  CAF_CHECK_EQUAL(check(mbr, image_format::qcow2, vmm_kind::qemu),
                  "disks[0] \"d\": stated as qcow2, but it is none; it looks like raw");
}

CAF_TEST(an unreadable image is refused) {
  unique_fd directory{::open("/", O_RDONLY | O_CLOEXEC)};
  auto checked = check_image(directory.get(), image_format::raw, vmm_kind::crosvm, "d");
  CAF_REQUIRE(!checked);
  CAF_CHECK_EQUAL(checked.why().code, EISDIR);
  CAF_CHECK(has(checked.why().what, "d: can't be read"));
}
