// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/runtime_dir.hpp"

#include "crosvisor/io/private_dir.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#undef CAF_SUITE
#define CAF_SUITE io.runtime_dir

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace fs = std::filesystem;

namespace {

struct fixture {
  holdings before;
  temp_dir dir;
  std::string path = dir / "run";

  int mode_of(const std::string& of) {
    struct stat is;
    return ::stat(of.c_str(), &is) == 0 ? static_cast<int>(is.st_mode & 07777) : -1;
  }

  void check_refused(int code, const std::string& words) {
    auto root = runtime_root::open(path);
    CAF_REQUIRE(!root);
    CAF_CHECK_EQUAL(root.why().code, code);
    CAF_MESSAGE(root.why().what);
    CAF_CHECK_NOT_EQUAL(root.why().what.find(words), std::string::npos);
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(runtime_dir_tests, fixture)

CAF_TEST(a directory is private and goes with its owner) {
  auto old_mask = ::umask(0);
  {
    auto root = runtime_root::open(path);
    CAF_REQUIRE(root);
    CAF_CHECK_EQUAL((*root)->path(), path);
    auto made = (*root)->make("2048");
    CAF_REQUIRE(made);
    CAF_CHECK_EQUAL((*made)->path(), path + "/2048");
    CAF_CHECK_EQUAL(mode_of(path), 0700);
    CAF_CHECK_EQUAL(mode_of(path + "/2048"), 0700);
    unique_fd file{::openat((*made)->fd(), "socket", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
    CAF_CHECK(fs::exists(path + "/2048/socket"));
    *made = nullptr;
    CAF_CHECK(!fs::exists(path + "/2048"));
  }
  ::umask(old_mask);
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(a strict umask takes no right from the owner) {
  auto old_mask = ::umask(0777);
  auto root = runtime_root::open(path);
  CAF_REQUIRE(root);
  auto made = (*root)->make("2048");
  ::umask(old_mask);
  CAF_REQUIRE(made);
  CAF_CHECK_EQUAL(mode_of(path), 0700);
  CAF_CHECK_EQUAL(mode_of(path + "/2048"), 0700);
}

CAF_TEST(a name is taken once and is one component) {
  auto root = runtime_root::open(path);
  CAF_REQUIRE(root);
  auto first = (*root)->make("2048");
  CAF_REQUIRE(first);
  auto second = (*root)->make("2048");
  CAF_REQUIRE(!second);
  CAF_CHECK_EQUAL(second.why().code, EEXIST);
  for (auto name : {"", ".", "..", "a/b", "/tmp/x", ".lock", ".hidden"})
    CAF_CHECK(!(*root)->make(name));
  *first = nullptr;
  CAF_CHECK((*root)->make("2048"));
}

CAF_TEST(a symlink is not followed) {
  fs::create_directory(dir / "elsewhere");
  fs::create_symlink(dir / "elsewhere", path);
  check_refused(ENOTDIR, "symlink");
}

CAF_TEST(a file instead of the directory is refused) {
  dir.write("run", "");
  check_refused(ENOTDIR, "not a directory");
}

CAF_TEST(a parent is not made) {
  path = dir / "missing/run";
  check_refused(ENOENT, "missing");
}

CAF_TEST(a relative path is refused) {
  path = "run";
  check_refused(EINVAL, "absolute");
  path = "/";
  check_refused(EINVAL, "of its own");
}

CAF_TEST(a directory that others can write is refused) {
  fs::create_directory(path);
  ::chmod(path.c_str(), 0770);
  check_refused(EPERM, "0700");
}

CAF_TEST(a directory of another user is refused) {
  fs::create_directory(path);
  if (::chown(path.c_str(), 65534, 65534) != 0) {
    CAF_MESSAGE("SKIPPED: only root can give directories away");
    return;
  }
  check_refused(EPERM, "uid 65534");
}

CAF_TEST(a second holder is refused until the first has gone) {
  auto first = runtime_root::open(path);
  CAF_REQUIRE(first);
  auto kept = (*first)->make("2048");
  CAF_REQUIRE(kept);
  auto second = runtime_root::open(path);
  CAF_REQUIRE(!second);
  CAF_CHECK_EQUAL(second.why().code, EBUSY);
  CAF_CHECK_NOT_EQUAL(second.why().what.find("process " + std::to_string(::getpid())),
                      std::string::npos);
  CAF_CHECK(fs::exists(path + "/2048"));
  *first = nullptr; // A VM's directory is there still, and with it the lock.
  CAF_CHECK(!runtime_root::open(path));
  *kept = nullptr;
  CAF_CHECK(runtime_root::open(path));
}

CAF_TEST(a killed holder holds nothing) {
  auto child = ::fork();
  if (child == 0) {
    auto root = runtime_root::open(path);
    auto made = root ? (*root)->make("2048") : result<std::unique_ptr<runtime_dir>>{failure{}};
    ::_exit(made ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CAF_CHECK_EQUAL(status, 0);
  CAF_CHECK(fs::exists(path + "/2048"));
  CAF_CHECK(runtime_root::open(path));
  CAF_CHECK(!fs::exists(path + "/2048"));
}

CAF_TEST(leftovers of any name and kind are cleared and links are not followed) {
  fs::create_directories(dir / "elsewhere/deep");
  auto precious = dir.write("elsewhere/deep/precious", "x");
  fs::create_directories(path + "/2048/a/b");
  fs::create_directory_symlink(dir / "elsewhere", path + "/2048/a/link");
  fs::create_directory_symlink(dir / "elsewhere", path + "/link");
  fs::create_symlink("/no/such", path + "/dangling");
  fs::create_hard_link(precious, path + "/hard");
  for (auto name : {"-rf", " ", "new\nline", "\xff\xfe", "*", ".hidden", "..."})
    std::ofstream{path + "/" + name};
  CAF_REQUIRE_EQUAL(::mkfifo((path + "/fifo").c_str(), 0600), 0);
  CAF_REQUIRE(runtime_root::open(path));
  CAF_CHECK_EQUAL(names_in(path), ".lock");
  CAF_CHECK_EQUAL(read_file(precious), "x");
}

CAF_TEST(a lock that is a symlink is not followed) {
  fs::create_directory(path);
  ::chmod(path.c_str(), 0700);
  auto victim = dir.write("victim", "precious");
  fs::create_symlink(victim, path + "/.lock");
  auto root = runtime_root::open(path);
  CAF_CHECK(!root);
  CAF_CHECK_EQUAL(read_file(victim), "precious");
}

CAF_TEST(a swapped directory is not emptied) {
  auto root = runtime_root::open(path);
  CAF_REQUIRE(root);
  auto made = (*root)->make("2048");
  CAF_REQUIRE(made);
  fs::rename(path + "/2048", path + "/moved");
  fs::create_directory(path + "/2048");
  dir.write("run/2048/precious", "x");
  *made = nullptr;
  CAF_CHECK_EQUAL(names_in(path + "/2048"), "precious");
}

CAF_TEST(a tree that is too deep is left and costs no stack) {
  auto deep = path + "/2048";
  for (auto i = 0; i < max_removed_depth + 8; ++i)
    deep += "/d";
  fs::create_directories(deep);
  unique_fd parent{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  auto removed = remove_tree(parent.get(), "2048");
  CAF_REQUIRE(!removed);
  CAF_CHECK_EQUAL(removed.why().code, ELOOP);
}

CAF_TEST(what is mounted there is left alone) {
  fs::create_directories(path + "/2048/mounted");
  fs::create_directory(dir / "elsewhere");
  auto precious = dir.write("elsewhere/precious", "x");
  auto target = path + "/2048/mounted";
  if (::mount((dir / "elsewhere").c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    CAF_MESSAGE("SKIPPED: no right to mount");
    return;
  }
  unique_fd parent{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  auto removed = remove_tree(parent.get(), "2048");
  ::umount2(target.c_str(), MNT_DETACH);
  CAF_CHECK(!removed);
  CAF_CHECK_EQUAL(read_file(precious), "x");
  CAF_CHECK(remove_tree(parent.get(), "2048"));
}

CAF_TEST_FIXTURE_SCOPE_END()
