// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/guest/microdroid/idsig.hpp"

#include <caf/test/dsl.hpp>

#include <cstdint>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE guest.microdroid.idsig

using namespace crosvisor::guest;

namespace {

std::string number(std::uint32_t value) {
  std::string bytes;
  for (auto shift = 0; shift < 32; shift += 8)
    bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string prefixed(const std::string& bytes) {
  return number(static_cast<std::uint32_t>(bytes.size())) + bytes;
}

/// The parts of an idsig, all good to begin with.
struct parts {
  std::uint32_t version = 2;
  std::uint32_t algorithm = 1;
  char log2 = 12;
  std::string salt;
  std::string root = std::string(32, 'r');
  std::string behind_hashing;
  std::string signatures = std::string(24, 's');
  std::uint32_t tree_size = 4096;

  std::string front() const {
    return number(version)
           + prefixed(number(algorithm) + log2 + prefixed(salt) + prefixed(root) + behind_hashing)
           + prefixed(signatures) + number(tree_size);
  }
};

outcome read(const std::string& front, idsig_header& header) {
  return read_idsig({reinterpret_cast<const unsigned char*>(front.data()), front.size()}, header);
}

std::string complaint(const std::string& front) {
  idsig_header header;
  auto read_it = read(front, header);
  return read_it.why == cause::verification_failed ? read_it.message : "(none)";
}

std::string complaint(const parts& from) {
  return complaint(from.front());
}

} // namespace

CAF_TEST(the header of the service of 2021 is read) {
  parts good;
  idsig_header header;
  CAF_REQUIRE(read(good.front() + "the tree", header).good());
  std::uint64_t offset = header.tree_offset;
  std::uint64_t size = header.tree_size;
  CAF_CHECK_EQUAL(offset, 85u);
  CAF_CHECK_EQUAL(size, 4096u);
  CAF_CHECK_EQUAL(header.root_hash[0], 'r');
  CAF_CHECK_EQUAL(header.root_hash[31], 'r');
  CAF_CHECK_EQUAL(header.salt_size, std::size_t{0});
}

CAF_TEST(signatures of any kind are passed over) {
  parts good;
  // v4.1: a block of signatures behind the usual ones.
  good.signatures = std::string(2000, 's') + number(0x1b93ad61) + prefixed(std::string(1500, 'x'));
  idsig_header header;
  CAF_REQUIRE(read(good.front(), header).good());
  std::uint64_t offset = header.tree_offset;
  CAF_CHECK_EQUAL(offset, 61u + good.signatures.size());
  good.signatures = std::string(7168, 's');
  CAF_CHECK(read(good.front(), header).good());
  good.signatures += 's';
  CAF_CHECK_EQUAL(complaint(good), "the idsig is bad: its signatures have more than 7168 bytes");
}

CAF_TEST(a salt is taken) {
  parts good;
  good.salt = "salt";
  idsig_header header;
  CAF_REQUIRE(read(good.front(), header).good());
  CAF_CHECK_EQUAL(header.salt_size, std::size_t{4});
  CAF_CHECK_EQUAL(std::string(reinterpret_cast<char*>(header.salt), 4), "salt");
  good.salt = std::string(33, 's');
  CAF_CHECK_EQUAL(complaint(good), "the idsig is bad: its salt has more than 32 bytes");
}

CAF_TEST(an idsig that is cut short anywhere is refused) {
  auto front = parts{}.front();
  for (std::size_t size = 0; size < front.size(); ++size)
    CAF_CHECK_NOT_EQUAL(complaint(front.substr(0, size)), "(none)");
  CAF_CHECK_EQUAL(complaint(front), "(none)");
}

CAF_TEST(what is not version 2 of SHA - 256 over 4096 bytes is refused) {
  parts bad;
  bad.version = 3;
  CAF_CHECK_EQUAL(complaint(bad), "the idsig is bad: its version is not 2");
  bad = {};
  bad.algorithm = 2;
  CAF_CHECK_EQUAL(complaint(bad),
                  "the idsig is bad: its tree is not one of SHA-256 over blocks of 4096 bytes");
  bad = {};
  bad.log2 = 16;
  CAF_CHECK_EQUAL(complaint(bad),
                  "the idsig is bad: its tree is not one of SHA-256 over blocks of 4096 bytes");
  bad = {};
  bad.root = std::string(31, 'r');
  CAF_CHECK_EQUAL(complaint(bad), "the idsig is bad: its root hash has not 32 bytes");
  bad = {};
  bad.tree_size = 4095;
  CAF_CHECK_EQUAL(complaint(bad), "the idsig is bad: its tree is not made of blocks of 4096 bytes");
}

CAF_TEST(a hashing info that does not fill its size is refused) {
  parts bad;
  bad.behind_hashing = "more";
  CAF_CHECK_EQUAL(complaint(bad), "the idsig is bad: its hashing info does not fill its size");
}

CAF_TEST(lengths beyond the file are refused) {
  std::string huge = "\xff\xff\xff\xff";
  CAF_CHECK_EQUAL(complaint(number(2) + huge), "the idsig is bad: its hashing info is cut short");
  CAF_CHECK_EQUAL(complaint(number(2) + prefixed(number(1) + '\x0c' + huge)),
                  "the idsig is bad: its hashing info does not fill its size");
}
