// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/guest/vsock/pattern.hpp"

#include <caf/test/dsl.hpp>

#include <memory>
#include <string_view>

#undef CAF_SUITE
#define CAF_SUITE guest.vsock.pattern

using namespace crosvisor::guest;

namespace {

struct fixture {
  std::uint64_t word_at(std::uint64_t offset) const {
    std::uint64_t word;
    std::memcpy(&word, bytes->at(offset).data(), sizeof word);
    return word;
  }

  std::unique_ptr<pattern> bytes = std::make_unique<pattern>();
};

std::uint64_t sum_of(std::string_view text) {
  checksum sum;
  sum.add(text.data(), text.size());
  return sum.value();
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(pattern_tests, fixture)

CAF_TEST(each word is the one of its place) {
  CAF_CHECK_EQUAL(word_at(0), 0x9E3779B97F4A7C15u);
  CAF_CHECK_EQUAL(word_at(8), 0x3C6EF372FE94F82Au);
  CAF_CHECK_EQUAL(word_at(8190 * 8), 8191 * 0x9E3779B97F4A7C15u);
  CAF_CHECK_EQUAL(word_at(8191 * 8), word_at(0));
  CAF_CHECK_EQUAL(word_at(std::uint64_t{1'000'000} * 65'528 + 16), word_at(16));
}

CAF_TEST(a piece is long and goes on where another begins) {
  for (std::uint64_t offset : {0, 1, 65'527, 65'528, 100'003}) {
    auto piece = bytes->at(offset);
    CAF_CHECK_GREATER_OR_EQUAL(piece.size(), 196'584u);
    auto later = bytes->at(offset + 70'001);
    CAF_CHECK(std::memcmp(piece.data() + 70'001, later.data(), 100'000) == 0);
  }
}

// What another implementation, in another language, makes of the same.
CAF_TEST(checksums are as documented) {
  CAF_CHECK_EQUAL(sum_of(""), 0xaf63bd4c29620a93u);
  CAF_CHECK_EQUAL(sum_of("a"), 0x68e0166a3938c199u);
  CAF_CHECK_EQUAL(sum_of("12345678"), 0x991b61351ed9f33bu);
  checksum sum;
  sum.add(bytes->at(0).data(), 100'000);
  CAF_CHECK_EQUAL(sum.value(), 0x34b7e3686f060c3au);
  CAF_CHECK_EQUAL(sum.bytes(), 100'000u);
}

CAF_TEST(pieces of any size make the same checksum) {
  for (std::size_t size : {1, 3, 7, 8, 9, 64, 4097}) {
    checksum sum;
    for (std::size_t at = 0; at < 100'000; at += size)
      sum.add(bytes->at(at).data(), std::min(size, 100'000 - at));
    CAF_CHECK_EQUAL(sum.value(), 0x34b7e3686f060c3au);
  }
}

CAF_TEST(zeros at the end count) {
  CAF_CHECK_NOT_EQUAL(sum_of(std::string_view{"a\0", 2}), sum_of("a"));
}

CAF_TEST_FIXTURE_SCOPE_END()
