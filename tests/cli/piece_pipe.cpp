// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/piece_pipe.hpp"

#include <caf/test/dsl.hpp>

#include <unistd.h>

#include <array>
#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE cli.piece_pipe

using namespace crosvisor;
using namespace crosvisor::cli;

namespace {

struct fixture {
  fixture() { std::signal(SIGPIPE, SIG_IGN); }

  std::string read_all() {
    std::string text;
    std::array<char, 4096> buffer;
    for (ssize_t n; (n = ::read(reader.get(), buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(n));
    return text;
  }

  piece_pipe pipe = std::move(*piece_pipe::make());
  io::unique_fd reader = pipe.take_reader();
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(piece_pipe_tests, fixture)

CAF_TEST(pieces are read in their order to the last one) {
  CAF_CHECK_EQUAL(pipe.put({0, "one ", 0, false}), "");
  CAF_CHECK_EQUAL(pipe.put({4, "two", 0, false}), "");
  CAF_CHECK_EQUAL(pipe.put({7, "", 0, true}), "");
  CAF_CHECK_EQUAL(read_all(), "one two");
}

CAF_TEST(what is missing is told) {
  CAF_CHECK_EQUAL(pipe.put({10, "x", 10, true}), "10 bytes of the payload's output were lost");
  CAF_CHECK_EQUAL(read_all(), "x");
}

CAF_TEST(the whole window fits in pieces of every size) {
  for (std::size_t size : {std::size_t{1}, std::size_t{4095}, std::size_t{4097}}) {
    auto other = std::move(*piece_pipe::make());
    auto end = other.take_reader();
    std::uint64_t put = 0;
    for (; put + size <= other.window(); put += size)
      CAF_REQUIRE_EQUAL(other.put({put, std::string(size, 'x'), 0, false}), "");
    CAF_CHECK(put > 0);
  }
}

CAF_TEST(more than was granted ends the output) {
  std::string what;
  std::string piece(64 << 10, 'x');
  for (int i = 0; i < 100 && what.empty(); ++i)
    what = pipe.put({0, piece, 0, false});
  CAF_CHECK(what.starts_with("the service sent more of the payload's output than was asked for"));
  CAF_CHECK_EQUAL(pipe.put({0, "y", 0, false}), "");
}

CAF_TEST(a reader that is gone is not told of again) {
  reader.reset();
  CAF_CHECK_EQUAL(pipe.put({0, "x", 0, false}), "");
  CAF_CHECK_EQUAL(pipe.put({1, "y", 3, true}), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
