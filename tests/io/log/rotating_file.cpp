// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/rotating_file.hpp"

#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.log.rotating_file

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace fs = std::filesystem;

namespace {

std::shared_ptr<const unique_fd> open_dir(const std::string& path) {
  return std::make_shared<const unique_fd>(
    ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

struct fixture {
  temp_dir dir;

  rotating_file open(log_bounds bounds) { return {open_dir(dir.path()), "log", bounds}; }

  // The files' contents, the oldest first, apart by bars.
  std::string all() {
    std::string text;
    for (auto age : {".4", ".3", ".2", ".1", ""})
      if (auto path = dir / ("log" + std::string{age}); fs::exists(path))
        text += (text.empty() ? "" : "|") + read_file(path);
    return text;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(rotating_file_tests, fixture)

CAF_TEST(the file is made with its first byte and is private) {
  auto file = open({10, 3});
  CAF_CHECK_EQUAL(all(), "");
  CAF_CHECK(!fs::exists(dir / "log"));
  file.append("x");
  struct stat is;
  CAF_REQUIRE_EQUAL(::stat((dir / "log").c_str(), &is), 0);
  CAF_CHECK_EQUAL(is.st_mode & 07777, 0600u);
}

CAF_TEST(a file that is exactly full is rotated with the next byte) {
  auto file = open({4, 3});
  file.append("abcd");
  CAF_CHECK_EQUAL(all(), "abcd");
  file.append("e");
  CAF_CHECK_EQUAL(all(), "abcd|e");
  file.append("fgh");
  CAF_CHECK_EQUAL(all(), "abcd|efgh");
}

CAF_TEST(bytes that do not fit go on in the next file) {
  auto file = open({4, 3});
  file.append("abc");
  file.append("defghij");
  CAF_CHECK_EQUAL(all(), "abcd|efgh|ij");
}

CAF_TEST(the oldest file goes) {
  auto file = open({4, 3});
  for (auto byte = 'a'; byte <= 'z'; ++byte)
    file.append(std::string(1, byte));
  CAF_CHECK_EQUAL(all(), "qrst|uvwx|yz");
  file.append(std::string(1000, '-'));
  CAF_CHECK_EQUAL(all(), "----|----|--");
}

CAF_TEST(one file alone begins anew) {
  auto file = open({4, 1});
  file.append("abcdefghij");
  CAF_CHECK_EQUAL(all(), "ij");
}

CAF_TEST(what an earlier process wrote is gone on with) {
  open({6, 3}).append("abcd");
  open({6, 3}).append("efgh");
  CAF_CHECK_EQUAL(all(), "abcdef|gh");
}

CAF_TEST(a symlink is not followed) {
  auto victim = dir.write("victim", "precious");
  fs::create_symlink(victim, dir / "log");
  auto file = open({4, 2});
  file.append("abc");
  CAF_CHECK_EQUAL(read_file(victim), "precious");
  CAF_CHECK_EQUAL(file.lost_bytes(), 3u);
  fs::remove(dir / "log");
  file.append("x");
  CAF_CHECK_EQUAL(read_file(victim), "precious");
}

CAF_TEST(the tail goes over two files) {
  auto file = open({4, 3});
  CAF_CHECK_EQUAL(file.tail(10), "");
  file.append("abcdefgh");
  file.append("ij");
  CAF_CHECK_EQUAL(file.tail(4), "ghij");
  CAF_CHECK_EQUAL(file.tail(1), "j");
}

CAF_TEST(a full disk costs bytes that are counted and told) {
  auto mounted = dir / "tiny";
  fs::create_directory(mounted);
  if (::mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=64k") != 0) {
    CAF_MESSAGE("SKIPPED: no right to mount a file system that is full soon");
    return;
  }
  {
    auto ballast = std::string(40'000, 'b');
    std::ofstream{mounted + "/ballast"} << ballast;
    rotating_file file{open_dir(mounted), "log", {1u << 20, 2}};
    file.append(std::string(100'000, 'x'));
    auto lost = file.lost_bytes();
    CAF_CHECK_GREATER(lost, 50'000u);
    file.append("the end");
    CAF_CHECK_EQUAL(file.lost_bytes(), lost + 7);
    CAF_CHECK_EQUAL(file.tail(7), "the end");
    fs::remove(mounted + "/ballast");
    file.append("again");
    CAF_CHECK_EQUAL(file.lost_bytes(), lost + 7);
    auto text = read_file(mounted + "/log");
    auto note = "\n[crosvisor: " + std::to_string(lost + 7)
                + " bytes were lost here: No space left on device]\nagain";
    CAF_CHECK_EQUAL(text.substr(text.find('\n')), note);
  }
  ::umount2(mounted.c_str(), MNT_DETACH);
}

CAF_TEST(a directory that was removed costs bytes) {
  auto gone = dir / "gone";
  fs::create_directory(gone);
  rotating_file file{open_dir(gone), "log", {4, 2}};
  fs::remove(gone);
  file.append("abc");
  CAF_CHECK_EQUAL(file.lost_bytes(), 3u);
}

CAF_TEST_FIXTURE_SCOPE_END()
