// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/guest/microdroid/verity.hpp"

#include <caf/test/dsl.hpp>

#include <cstring>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE guest.microdroid.verity

using namespace crosvisor::guest;

namespace {

idsig_header header_of(std::uint64_t tree_size) {
  idsig_header header;
  std::memset(header.root_hash, 0xAB, sizeof header.root_hash);
  header.tree_offset = 85;
  header.tree_size = tree_size;
  return header;
}

std::string complaint(const idsig_header& header, std::uint64_t apk, std::uint64_t idsig) {
  auto checked = check_sizes(header, apk, idsig);
  return checked.why == cause::verification_failed ? checked.message : "(none)";
}

std::string table(const idsig_header& header, std::size_t room = 512) {
  std::string text(room, '#');
  if (!write_table(text.data(), room, "/dev/vda2", "/dev/loop0", 7, header))
    return "(none)";
  return text.c_str();
}

std::string repeated(const std::string& piece, int times) {
  std::string all;
  for (auto i = 0; i < times; ++i)
    all += piece;
  return all;
}

} // namespace

CAF_TEST(trees have a level for each 128 blocks of the one below) {
  CAF_CHECK_EQUAL(tree_size_of(0), 0u);
  CAF_CHECK_EQUAL(tree_size_of(1), 0u);
  CAF_CHECK_EQUAL(tree_size_of(2), 4096u);
  CAF_CHECK_EQUAL(tree_size_of(128), 4096u);
  CAF_CHECK_EQUAL(tree_size_of(129), 3u * 4096);
  CAF_CHECK_EQUAL(tree_size_of(128 * 128), 129u * 4096);
  CAF_CHECK_EQUAL(tree_size_of(128 * 128 + 1), (129u + 2 + 1) * 4096);
}

CAF_TEST(an idsig goes with its partitions) {
  CAF_CHECK_EQUAL(complaint(header_of(4096), 8192, 85 + 4096), "(none)");
  CAF_CHECK_EQUAL(complaint(header_of(0), 4096, 85), "(none)");
}

CAF_TEST(an idsig of another APK is refused) {
  CAF_CHECK_EQUAL(complaint(header_of(4096), 129 * 4096, 20480),
                  "the idsig is of another APK: its tree has 4096 bytes, and the APK's 129 blocks"
                  " have one of 12288");
  CAF_CHECK_EQUAL(complaint(header_of(0), 8192, 20480),
                  "the idsig is of another APK: its tree has 0 bytes, and the APK's 2 blocks"
                  " have one of 4096");
}

CAF_TEST(partitions of odd sizes are refused) {
  CAF_CHECK_EQUAL(complaint(header_of(4096), 8193, 20480),
                  "the APK's partition has 8193 bytes, which are no blocks of 4096");
  CAF_CHECK_EQUAL(complaint(header_of(0), 0, 20480),
                  "the APK's partition has 0 bytes, which are no blocks of 4096");
  CAF_CHECK_EQUAL(complaint(header_of(4096), 8192, 85 + 4095),
                  "the idsig is cut short within its tree");
  CAF_CHECK_EQUAL(complaint(header_of(4096), 8192, 84), "the idsig is cut short within its tree");
}

CAF_TEST(the table is the one of the kernel) {
  CAF_CHECK_EQUAL(table(header_of(4096)),
                  "1 /dev/vda2 /dev/loop0 4096 4096 7 0 sha256 " + repeated("ab", 32) + " -");
}

CAF_TEST(a salt fills a block of the hash) {
  auto salted = header_of(4096);
  salted.salt[0] = 0x01;
  salted.salt[1] = 0xF0;
  salted.salt_size = 2;
  CAF_CHECK_EQUAL(table(salted), "1 /dev/vda2 /dev/loop0 4096 4096 7 0 sha256 " + repeated("ab", 32)
                                   + " 01f0" + repeated("00", 62));
}

CAF_TEST(a table that has no room is not cut) {
  auto size = table(header_of(4096)).size();
  CAF_CHECK_EQUAL(table(header_of(4096), size), "(none)");
  CAF_CHECK_EQUAL(table(header_of(4096), size + 1).size(), size);
}
