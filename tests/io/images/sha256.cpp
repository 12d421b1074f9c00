// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/images/sha256.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <cerrno>

#undef CAF_SUITE
#define CAF_SUITE io.images.sha256

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

// FIPS 180-2, appendix B.
constexpr char of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

} // namespace

CAF_TEST(the checksum of bytes in whichever pieces) {
  sha256 whole, parts, nothing;
  whole.add("abc");
  for (const auto* piece : {"a", "", "bc"})
    parts.add(piece);
  CAF_CHECK_EQUAL(whole.digits(), of_abc);
  CAF_CHECK_EQUAL(parts.digits(), of_abc);
  CAF_CHECK_EQUAL(nothing.digits(), of_nothing);
  CAF_CHECK_EQUAL(nothing.digits(), "");
}

CAF_TEST(the checksum of a file and of its beginning) {
  temp_dir dir;
  auto path = dir.write("file", "abcdef");
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  sha256 of_beginning, too_long, given_up;
  std::uint64_t told = 0;
  CAF_CHECK(static_cast<bool>(add_file(of_beginning, fd.get(), 3, [&](std::uint64_t done) {
    told = done;
    return true;
  })));
  CAF_CHECK_EQUAL(of_beginning.digits(), of_abc);
  CAF_CHECK_EQUAL(told, 3u);
  auto beyond = add_file(too_long, fd.get(), 7);
  CAF_REQUIRE(!beyond);
  CAF_CHECK_EQUAL(beyond.why().code, EIO);
  auto ended = add_file(given_up, fd.get(), 3, [](std::uint64_t) { return false; });
  CAF_REQUIRE(!ended);
  CAF_CHECK_EQUAL(ended.why().code, ECANCELED);
}
