// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/path_lock.hpp"

#include "crosvisor/tests/io/in_child.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <optional>

#undef CAF_SUITE
#define CAF_SUITE io.path_lock

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture {
  temp_dir dir;
  std::string path = dir / "d.sock";

  std::string problem() const {
    auto lock = io::path_lock::take(path);
    return lock ? "none" : lock.why().what;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(path_lock_tests, fixture)

CAF_TEST(one holds it and the next one is told who) {
  {
    auto lock = io::path_lock::take(path);
    CAF_REQUIRE(static_cast<bool>(lock));
    auto in_use = "\"" + path + "\" is in use by process " + std::to_string(::getpid());
    CAF_CHECK_EQUAL(problem(), in_use);
    CAF_CHECK_EQUAL(said_in_child([&] { return problem(); }), in_use);
  }
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
  CAF_CHECK_EQUAL(problem(), "none");
}

CAF_TEST(what a killed holder left is taken over) {
  auto said = said_in_child([&] {
    auto lock = io::path_lock::take(path);
    ::kill(::getpid(), SIGKILL);
    return std::string{"lives"};
  });
  CAF_CHECK_EQUAL(said, "");
  CAF_CHECK_EQUAL(names_in(dir.path()), "d.sock.lock");
  CAF_CHECK_EQUAL(problem(), "none");
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
}

CAF_TEST(a file that somebody else put there stays) {
  {
    auto lock = io::path_lock::take(path);
    CAF_REQUIRE(static_cast<bool>(lock));
    std::filesystem::remove(path + ".lock");
    dir.write("d.sock.lock", "other");
  }
  CAF_CHECK_EQUAL(read_file(path + ".lock"), "other");
}

CAF_TEST(no symlink is followed) {
  std::filesystem::create_symlink(dir / "elsewhere", path + ".lock");
  CAF_CHECK_EQUAL(problem(), "lock \"" + path + ".lock\": Too many levels of symbolic links");
  CAF_CHECK(!std::filesystem::exists(dir / "elsewhere"));
}

CAF_TEST(without a directory there is no lock) {
  path = dir / "none/d.sock";
  CAF_CHECK_EQUAL(problem(), "lock \"" + path + ".lock\": No such file or directory");
}

CAF_TEST_FIXTURE_SCOPE_END()
