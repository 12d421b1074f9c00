// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/gpt.hpp"

#include "crosvisor/io/disk/byte_order.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.disk.gpt

using namespace crosvisor::io;
using namespace std::string_literals;

namespace {

gpt_partition partition(const std::string& label, std::uint64_t size, bool writable = false) {
  static std::uint8_t next = 0;
  guid id;
  id.bytes[15] = ++next;
  return {label, size, writable, id, "\"" + label + "\""};
}

gpt_layout laid_out(const std::vector<gpt_partition>& partitions, const guid& disk = {}) {
  auto layout = lay_out_gpt(partitions, disk);
  if (!layout)
    CAF_FAIL(layout.why().what);
  return *layout;
}

std::string problem_of(const std::vector<gpt_partition>& partitions) {
  auto layout = lay_out_gpt(partitions, {});
  if (!layout)
    CAF_CHECK_EQUAL(layout.why().code, 0);
  return layout ? "" : layout.why().what;
}

constexpr std::size_t entries_in_footer = 3584;
constexpr std::size_t header_in_footer = 3584 + 16384;

} // namespace

CAF_TEST(the checksum is that of zlib) {
  CAF_CHECK_EQUAL(crc32("123456789"), 0xcbf43926u);
  CAF_CHECK_EQUAL(crc32(""), 0u);
}

CAF_TEST(partitions stand back to back at multiples of 4096) {
  auto layout =
    laid_out({partition("a", 1), partition("b", 4096), partition("c", 4097), partition("d", 8192)});
  std::vector<std::uint64_t> expected{20480, 24576, 28672, 36864};
  CAF_CHECK(layout.offsets == expected);
  CAF_CHECK_EQUAL(layout.footer_offset, 45056u);
  CAF_CHECK_EQUAL(layout.size_bytes, 65536u);
  CAF_CHECK_EQUAL(layout.header.size(), std::size_t{20480});
  CAF_CHECK_EQUAL(layout.footer.size(), std::size_t{20480});
}

CAF_TEST(the protective MBR covers the whole disk) {
  auto layout = laid_out({partition("a", 1)});
  const auto& mbr = layout.header;
  CAF_CHECK_EQUAL(mbr.substr(0, 446), std::string(446, '\0'));
  CAF_CHECK_EQUAL(mbr.substr(446, 16), "\0\0\0\0\xee\0\0\0\x01\0\0\0\x58\0\0\0"s);
  CAF_CHECK_EQUAL(mbr.substr(462, 50), std::string(48, '\0') + "\x55\xaa");
}

CAF_TEST(both headers name each other and their own entries) {
  auto layout = laid_out({partition("a", 8192)});
  auto primary = layout.header.substr(512, 512);
  auto secondary = layout.footer.substr(header_in_footer);
  auto last = layout.size_bytes / 512 - 1;
  auto number = [](const std::string& sector, std::size_t at) {
    return little_endian<std::uint64_t>(sector, at);
  };
  CAF_CHECK_EQUAL(number(primary, 24), 1u);
  CAF_CHECK_EQUAL(number(primary, 32), last);
  CAF_CHECK_EQUAL(number(primary, 72), 2u);
  CAF_CHECK_EQUAL(number(secondary, 24), last);
  CAF_CHECK_EQUAL(number(secondary, 32), 1u);
  CAF_CHECK_EQUAL(number(secondary, 72), (layout.footer_offset + entries_in_footer) / 512);
  for (const auto& sector : {primary, secondary}) {
    CAF_CHECK_EQUAL(number(sector, 40), 40u);
    CAF_CHECK_EQUAL(number(sector, 48), last - 33);
    auto sum = little_endian<std::uint32_t>(sector, 16);
    auto zeroed = sector;
    put_little_endian(zeroed, 16, std::uint32_t{0});
    CAF_CHECK_EQUAL(sum, crc32(zeroed.substr(0, 92)));
  }
  CAF_CHECK_EQUAL(layout.header.substr(1024, 16384),
                  layout.footer.substr(entries_in_footer, 16384));
}

CAF_TEST(labels are stored as UTF16) {
  auto label = "\xc3\xbc\xf0\x9f\x90\xa7x"s;
  auto layout = laid_out({partition(label, 1), partition(std::string(36, 'z'), 1)});
  CAF_CHECK_EQUAL(layout.header.substr(1024 + 56, 10), "\xfc\0\x3d\xd8\x27\xdcx\0\0\0"s);
  CAF_CHECK_EQUAL(layout.header.substr(1024 + 128 + 56 + 70, 2), "z\0"s);
}

CAF_TEST(128 partitions fill the table) {
  std::vector<gpt_partition> partitions;
  for (auto i = 0; i < 128; ++i)
    partitions.push_back(partition("p" + std::to_string(i), 1));
  auto layout = laid_out(partitions);
  auto last = layout.header.substr(1024 + 127 * 128, 128);
  CAF_CHECK_EQUAL(little_endian<std::uint64_t>(last, 32), 40u + 127 * 8);
  CAF_CHECK_EQUAL(layout.header.substr(1024 + 16384), std::string(3072, '\0'));
}

CAF_TEST(sizes are checked without overflow) {
  constexpr auto huge = ~std::uint64_t{0};
  CAF_CHECK_EQUAL(problem_of({partition("a", huge)}),
                  "\"a\": has 18446744073709551615 bytes; a disk has at most 2 TiB");
  CAF_CHECK_EQUAL(problem_of({partition("a", huge - 4095, true)}),
                  "\"a\": has 18446744073709547520 bytes; a disk has at most 2 TiB");
  constexpr auto room = (std::uint64_t{1} << 41) - 2 * 20480 - 4096;
  CAF_CHECK_EQUAL(problem_of({partition("a", room)}), "");
  CAF_CHECK_EQUAL(problem_of({partition("a", room + 1)}),
                  "\"a\": does not fit; the disk would have more than 2 TiB");
  CAF_CHECK_EQUAL(laid_out({partition("a", room)}).size_bytes / 512, 0xfffffff8u);
}
