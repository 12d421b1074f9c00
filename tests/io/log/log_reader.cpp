// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/log_reader.hpp"

#include "crosvisor/io/log/rotating_file.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>

#include <atomic>
#include <future>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE io.log.log_reader

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture {
  temp_dir dir;
  std::shared_ptr<const unique_fd> fd = std::make_shared<const unique_fd>(
    ::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));

  rotating_file writer(log_bounds bounds) { return {fd, "log", bounds}; }

  log_reader reader(bool from_end = false) {
    auto opened = log_reader::open(fd->get(), "log", from_end);
    CAF_REQUIRE(opened);
    return std::move(*opened);
  }

  std::string rest(log_reader& from) {
    std::string text;
    char bytes[7]; // Small and odd, so that reads don't end where files do.
    while (auto got = from.read(bytes, sizeof(bytes)))
      text.append(bytes, got);
    return text;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(log_reader_tests, fixture)

CAF_TEST(all files are read as one with the oldest first) {
  auto log = writer({4, 4});
  log.append("abcdefghijklmn");
  auto from = reader();
  CAF_CHECK_EQUAL(rest(from), "abcdefghijklmn");
  CAF_CHECK_EQUAL(from.gaps(), 0u);
}

CAF_TEST(a log that is not there yet is waited for) {
  auto from = reader();
  CAF_CHECK_EQUAL(rest(from), "");
  auto log = writer({4, 4});
  log.append("abcdef");
  from.wait(patience);
  CAF_CHECK_EQUAL(rest(from), "abcdef");
}

CAF_TEST(a reader follows over rotations) {
  auto log = writer({4, 3});
  auto from = reader();
  std::string text, read;
  for (auto i = 0; i < 500; ++i) {
    auto more = std::to_string(i) + " ";
    log.append(more);
    text += more;
    read += rest(from);
  }
  CAF_CHECK_EQUAL(read, text);
  CAF_CHECK_EQUAL(from.gaps(), 0u);
}

CAF_TEST(a reader that is no more behind than what is kept loses nothing) {
  auto log = writer({4, 4});
  log.append("ab");
  auto from = reader();
  CAF_CHECK_EQUAL(rest(from), "ab");
  log.append("cdefghijklmnop"); // Four full files; ours is the oldest.
  CAF_CHECK_EQUAL(rest(from), "cdefghijklmnop");
  CAF_CHECK_EQUAL(from.gaps(), 0u);
}

CAF_TEST(a reader that is too slow skips and counts) {
  auto log = writer({4, 2});
  log.append("ab");
  auto from = reader();
  CAF_CHECK_EQUAL(rest(from), "ab");
  log.append("cdefghijklmnopqrstuv");
  // The file that is open is read to its end; then comes the oldest that is left.
  CAF_CHECK_EQUAL(rest(from), "cdqrstuv");
  CAF_CHECK_EQUAL(from.gaps(), 1u);
}

CAF_TEST(a reader may begin at the end) {
  auto log = writer({4, 4});
  log.append("abcdefgh"); // NAME is full, and the next is not made yet.
  auto from = reader(true);
  CAF_CHECK_EQUAL(rest(from), "");
  log.append("ijkl");
  CAF_CHECK_EQUAL(rest(from), "ijkl");
}

CAF_TEST(a wait ends when something is written) {
  auto log = writer({1000, 4});
  log.append("x");
  auto from = reader();
  CAF_CHECK_EQUAL(rest(from), "x");
  auto read = std::async(std::launch::async, [&] {
    std::string text;
    for (auto begin = std::chrono::steady_clock::now();
         text.empty() && std::chrono::steady_clock::now() - begin < patience;) {
      from.wait(patience);
      text = rest(from);
    }
    return text;
  });
  log.append("y");
  CAF_CHECK_EQUAL(read.get(), "y");
}

CAF_TEST(a reader beside a writer that rotates all the time sees each byte once) {
  constexpr auto lines = 20'000;
  std::atomic<std::size_t> read_bytes = 0;
  std::thread writing{[&] {
    auto log = writer({256, 8});
    std::size_t written = 0;
    for (auto i = 0; i < lines; ++i) {
      auto line = std::to_string(i) + "\n";
      written += line.size();
      log.append(line);
      // Never more ahead than what is kept, as in "no more behind".
      while (written - read_bytes > 1024)
        std::this_thread::yield();
    }
  }};
  auto from = reader();
  std::string text;
  auto end = std::to_string(lines - 1) + "\n";
  auto begin = std::chrono::steady_clock::now();
  while (!text.ends_with("\n" + end) && std::chrono::steady_clock::now() - begin < patience) {
    text += rest(from);
    read_bytes = text.size();
    if (from.gaps() > 0)
      read_bytes = SIZE_MAX / 2; // Lets the writer end.
  }
  read_bytes = SIZE_MAX / 2;
  writing.join();
  std::string expected;
  for (auto i = 0; i < lines; ++i)
    expected += std::to_string(i) + "\n";
  CAF_CHECK_EQUAL(from.gaps(), 0u);
  CAF_CHECK(text == expected);
}

CAF_TEST_FIXTURE_SCOPE_END()
