// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/gpt_reader.hpp"

#include "crosvisor/io/disk/byte_order.hpp"
#include "crosvisor/io/disk/gpt.hpp"
#include "crosvisor/tests/io/disk/whole_disk.hpp"
#include "crosvisor/tests/judge.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.disk.gpt_reader

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr std::size_t first_entry = 1024;

/// A disk of two partitions of 8 sectors each, and ways to break it.
struct fixture {
  std::string disk;

  fixture() {
    guid first, second;
    first.bytes[0] = 1;
    second.bytes[0] = 2;
    auto layout =
      lay_out_gpt({{"boot", 4096, false, first, "boot"}, {"\xc3\xbc", 4096, true, second, "ue"}},
                  linux_filesystem_type);
    CAF_REQUIRE(static_cast<bool>(layout));
    disk = layout->header + std::string(8192, 'x') + layout->footer;
  }

  std::size_t backup() const { return disk.size() - 512; }

  void fix_header_sum(std::size_t at) {
    put_little_endian(disk, at + 16, std::uint32_t{0});
    auto sum = crc32(disk.substr(at, 92));
    put_little_endian(disk, at + 16, sum);
  }

  /// Both tables get the primary one's entries, and right sums.
  void fix_sums() {
    auto entries = disk.substr(first_entry, 16384);
    disk.replace(backup() - 16384, 16384, entries);
    for (auto header : {std::size_t{512}, backup()}) {
      put_little_endian(disk, header + 88, crc32(entries));
      fix_header_sum(header);
    }
  }

  result<gpt_contents> read() const { return read_gpt(bytes_of_text(disk), disk.size()); }

  gpt_contents contents() const {
    auto read_back = read();
    if (!read_back)
      CAF_FAIL(read_back.why().what);
    return *read_back;
  }

  std::string problems() const {
    std::string all;
    for (const auto& problem : contents().problems)
      all += (all.empty() ? "" : "; ") + problem;
    return all;
  }

  std::string label_of(std::size_t i) const { return contents().partitions.at(i).label; }

  std::string failure_of() const {
    auto read_back = read();
    return read_back ? "" : read_back.why().what;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(gpt_reader_tests, fixture)

CAF_TEST(what was laid out is read back) {
  auto found = contents();
  CAF_CHECK_EQUAL(problems(), "");
  CAF_CHECK(found.disk == linux_filesystem_type);
  CAF_REQUIRE_EQUAL(found.partitions.size(), 2u);
  CAF_CHECK_EQUAL(found.partitions[0].label, "boot");
  CAF_CHECK_EQUAL(found.partitions[0].number, 1u);
  CAF_CHECK_EQUAL(found.partitions[0].first_sector, 40u);
  CAF_CHECK_EQUAL(found.partitions[0].last_sector, 47u);
  CAF_CHECK(found.partitions[0].type == linux_filesystem_type);
  CAF_CHECK_EQUAL(found.partitions[0].id.bytes[0], 1);
  CAF_CHECK_EQUAL(found.partitions[1].label, "\xc3\xbc");
  CAF_CHECK_EQUAL(found.partitions[1].first_sector, 48u);
}

CAF_TEST(the disk of crosvm has one remark) {
  auto file = parse_composite_file(golden("composite/disk.img"));
  CAF_REQUIRE(static_cast<bool>(file));
  disk = assemble(*file, [](const std::string& path) { return golden("composite/" + path); });
  CAF_CHECK_EQUAL(problems(),
                  "the backup header points to the primary table, not to a copy of its own");
  CAF_CHECK_EQUAL(contents().partitions.size(), 3u);
  CAF_CHECK_EQUAL(label_of(1), "super");
}

CAF_TEST(what sgdisk makes is read) {
  temp_dir dir;
  auto image = dir.write("disk.img", std::string(1 << 20, '\0'));
  auto said = ask("sgdisk -a 1 -n 2:64:127 -c 2:two -n 5:128:0 -c 5:five " + image);
  CAF_REQUIRE_EQUAL(said.exit_code, 0);
  disk = read_file(image);
  CAF_CHECK_EQUAL(problems(), "");
  auto found = contents().partitions;
  CAF_REQUIRE_EQUAL(found.size(), 2u);
  CAF_CHECK_EQUAL(found[0].number, 2u);
  CAF_CHECK_EQUAL(found[0].last_sector, 127u);
  CAF_CHECK_EQUAL(found[1].number, 5u);
  CAF_CHECK_EQUAL(found[1].label, "five");
}

CAF_TEST(no GPT is a failure) {
  disk.assign(1 << 16, '\0');
  CAF_CHECK_EQUAL(failure_of(),
                  "has no GPT: EFI PART is neither in its second sector nor in its last one");
  disk.assign(1535, '\0');
  CAF_CHECK_EQUAL(failure_of(), "has no GPT: it is too small");
  disk = "";
  CAF_CHECK_EQUAL(failure_of(), "has no GPT: it is too small");
}

CAF_TEST(a disk that can not be read is a failure of the host) {
  auto read_back = read_gpt(bytes_of_file(-1), 1 << 20);
  CAF_REQUIRE(!read_back);
  CAF_CHECK_EQUAL(read_back.why().code, EBADF);
}

CAF_TEST(a missing or damaged table is told and the other one used) {
  disk[512] = 'X';
  CAF_CHECK_EQUAL(problems(), "the primary header is missing");
  CAF_CHECK_EQUAL(contents().partitions.size(), 2u);
  disk[512] = 'E';
  disk[first_entry + 56] = 'B';
  CAF_CHECK_EQUAL(problems(), "the primary table has a wrong checksum");
  CAF_CHECK_EQUAL(label_of(0), "boot");
  disk[first_entry + 56] = 'b';
  disk[512 + 20] = 1;
  CAF_CHECK_EQUAL(problems(), "the primary header's checksum is wrong");
  disk[512 + 20] = 0;
  disk[backup()] = 'X';
  CAF_CHECK_EQUAL(problems(), "the backup header is missing");
  CAF_CHECK_EQUAL(contents().partitions.size(), 2u);
}

CAF_TEST(a disk that was cut has its backup nowhere) {
  disk.resize(disk.size() - 4096);
  auto said = problems();
  CAF_CHECK(said.find("the backup header is missing") != std::string::npos);
  CAF_CHECK(said.find("the primary header has the other one in sector") != std::string::npos);
  CAF_CHECK(said.find("the protective MBR covers 96 sectors of 88") != std::string::npos);
}

CAF_TEST(the protective MBR is looked at) {
  disk[511] = 0;
  CAF_CHECK_EQUAL(problems(), "the protective MBR is missing");
  disk[511] = '\xaa';
  disk[446 + 4] = '\x83';
  CAF_CHECK_EQUAL(problems(), "the MBR is not a protective one");
}

CAF_TEST(ranges and overlaps are checked) {
  put_little_endian(disk, first_entry + 128 + 32, std::uint64_t{47});
  fix_sums();
  CAF_CHECK_EQUAL(problems(), "partitions 1 and 2 overlap");
  put_little_endian(disk, first_entry + 128 + 32, std::uint64_t{39});
  put_little_endian(disk, first_entry + 128 + 40, std::uint64_t{39});
  fix_sums();
  CAF_CHECK_EQUAL(problems(), "partition 2 is in sectors 39 to 39; usable are 40 to 62");
  put_little_endian(disk, first_entry + 128 + 32, ~std::uint64_t{0});
  put_little_endian(disk, first_entry + 128 + 40, std::uint64_t{0});
  fix_sums();
  CAF_CHECK_EQUAL(problems(), "partition 2 is in sectors 18446744073709551615 to 0; usable are 40 "
                              "to 62");
}

CAF_TEST(headers that disagree are told of) {
  disk[backup() + 56] = 7;
  fix_header_sum(backup());
  CAF_CHECK_EQUAL(problems(), "the two headers have different disk GUIDs");
}

CAF_TEST(a table of any size is bounded) {
  for (auto [count, bytes] : {std::pair{~0u, 128u}, {128u, ~0u}, {128u, 0u}, {128u, 132u}}) {
    put_little_endian(disk, 512 + 80, count);
    put_little_endian(disk, 512 + 84, bytes);
    fix_header_sum(512);
    CAF_CHECK_EQUAL(problems(), "the primary table has " + std::to_string(count) + " entries of "
                                  + std::to_string(bytes) + " bytes");
  }
  put_little_endian(disk, 512 + 80, 128u);
  put_little_endian(disk, 512 + 84, 128u);
  for (auto sector : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{96}}) {
    put_little_endian(disk, 512 + 72, sector);
    fix_header_sum(512);
    CAF_CHECK_EQUAL(problems(),
                    "the primary table begins in sector " + std::to_string(sector) + ", of 96");
  }
  put_little_endian(disk, 512 + 72, std::uint64_t{95});
  fix_header_sum(512);
  CAF_CHECK_EQUAL(problems(), "the primary table ends behind the disk");
}

CAF_TEST(a header of a strange size is not summed) {
  for (auto size : {0u, 91u, 513u, ~0u}) {
    put_little_endian(disk, 512 + 12, size);
    CAF_CHECK_EQUAL(problems(), "the primary header claims " + std::to_string(size) + " bytes");
  }
}

CAF_TEST(no more problems are told than anybody reads) {
  for (std::size_t i = 0; i < 128; ++i) {
    disk[first_entry + 128 * i] = 1;
    put_little_endian(disk, first_entry + 128 * i + 32, std::uint64_t{1});
    put_little_endian(disk, first_entry + 128 * i + 40, std::uint64_t{1});
  }
  fix_sums();
  CAF_CHECK_EQUAL(contents().problems.size(), max_gpt_problems);
  CAF_CHECK_EQUAL(contents().partitions.size(), 128u);
}

CAF_TEST_FIXTURE_SCOPE_END()
