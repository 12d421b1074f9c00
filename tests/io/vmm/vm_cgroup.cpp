// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/vm_cgroup.hpp"

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/tests/io/test_cgroup.hpp"

#include <caf/test/dsl.hpp>

#include <sys/wait.h>

#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.vm_cgroup

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

/// A process of nobody's that ends when it is killed; -1: none.
pid_t forked_sleeper() {
  auto pid = ::fork();
  if (pid == 0)
    for (;;)
      ::pause();
  return pid;
}

int signal_of(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

struct fixture {
  test_cgroup cgroup;
  holdings before;

  ~fixture() { CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before)); }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(vm_cgroup_tests, fixture)

CAF_TEST(only a directory of cgroup2 is one) {
  temp_dir dir;
  auto none = cgroup_tree::open(dir.path());
  CAF_REQUIRE(!none);
  CAF_CHECK_EQUAL(none.why().what, "cgroup \"" + dir.path()
                                     + "\" is none of version 2; name a directory below a mount "
                                       "of cgroup2");
  auto missing = cgroup_tree::open(dir / "missing");
  CAF_REQUIRE(!missing);
  CAF_CHECK_EQUAL(missing.why().code, ENOENT);
}

CAF_TEST(one process has it at a time) {
  if (!cgroup)
    return;
  auto first = cgroup_tree::open(cgroup.path());
  CAF_REQUIRE(first);
  auto second = cgroup_tree::open(cgroup.path());
  CAF_REQUIRE(!second);
  CAF_CHECK_EQUAL(second.why().code, EBUSY);
  first = failure{};
  CAF_CHECK(cgroup_tree::open(cgroup.path()));
}

CAF_TEST(a cgroup is removed with what is left in it) {
  if (!cgroup)
    return;
  auto tree = cgroup_tree::open(cgroup.path());
  CAF_REQUIRE(tree);
  auto made = (*tree)->make(2048);
  CAF_REQUIRE(made);
  auto left = forked_sleeper();
  CAF_REQUIRE(cgroup.put("vm-2048", left));
  CAF_CHECK(cgroup_of(left).ends_with("/vm-2048"));
  made = failure{};
  CAF_CHECK(cgroup.cgroups().empty());
  CAF_CHECK_EQUAL(signal_of(left), SIGKILL);
}

CAF_TEST(what an earlier process left is removed) {
  if (!cgroup)
    return;
  for (auto* name : {"vm-2048", "vm-7", "vm-", "vm-x", "other"})
    ::mkdir((cgroup / name).c_str(), 0755);
  auto stale = forked_sleeper();
  auto other = forked_sleeper();
  CAF_REQUIRE(cgroup.put("vm-2048", stale));
  CAF_REQUIRE(cgroup.put("other", other));
  {
    auto tree = cgroup_tree::open(cgroup.path());
    CAF_REQUIRE(tree);
    CAF_CHECK_EQUAL(signal_of(stale), SIGKILL);
    CAF_CHECK_EQUAL(cgroup.cgroups().size(), std::size_t{3});
    // The same when it comes later.
    ::mkdir((cgroup / "vm-9").c_str(), 0755);
    stale = forked_sleeper();
    CAF_REQUIRE(cgroup.put("vm-9", stale));
    CAF_CHECK((*tree)->make(9));
    CAF_CHECK_EQUAL(signal_of(stale), SIGKILL);
  }
  CAF_CHECK_EQUAL(::waitpid(other, nullptr, WNOHANG), 0);
  ::kill(other, SIGKILL);
  signal_of(other);
}

CAF_TEST(a process that is in it moves further down) {
  if (!cgroup)
    return;
  auto pid = ::fork();
  if (pid == 0) {
    auto path = cgroup.path();
    std::ofstream{path + "/cgroup.procs"} << 0 << std::flush;
    auto name = path.substr(path.rfind('/'));
    auto there = cgroup_of(::getpid()).ends_with(name);
    auto tree = cgroup_tree::open(path);
    auto moved = cgroup_of(::getpid()).ends_with(name + "/service");
    auto made = tree && (*tree)->make(2048);
    ::_exit(there && moved && made ? 0 : 1);
  }
  int status = -1;
  ::waitpid(pid, &status, 0);
  CAF_CHECK_EQUAL(status, 0);
  CAF_CHECK_EQUAL(names_in(cgroup.path()).find("vm-2048"), std::string::npos);
}

CAF_TEST(the cgroup of a keeper outlives who made it and goes with all in it) {
  if (!cgroup)
    return;
  auto left = forked_sleeper();
  {
    auto tree = cgroup_tree::open(cgroup.path());
    CAF_REQUIRE(tree);
    CAF_CHECK((*tree)->make_keeper(2048));
    CAF_CHECK_EQUAL((*tree)->keeper_path(2048), cgroup / "keeper-2048");
    ::mkdir((cgroup / "keeper-2048/vm-2048").c_str(), 0755);
    CAF_REQUIRE(cgroup.put("keeper-2048/vm-2048", left));
  }
  auto tree = cgroup_tree::open(cgroup.path());
  CAF_REQUIRE(tree);
  CAF_CHECK((*tree)->keepers() == std::vector<vm_cid>{2048});
  CAF_CHECK_EQUAL(::waitpid(left, nullptr, WNOHANG), 0);
  CAF_CHECK((*tree)->remove_keeper(2048));
  CAF_CHECK((*tree)->remove_keeper(2048));
  CAF_CHECK(cgroup.cgroups().empty());
  CAF_CHECK_EQUAL(signal_of(left), SIGKILL);
}

CAF_TEST(a keeper that is put aside lives and makes room for another one) {
  if (!cgroup)
    return;
  auto last = forked_sleeper(), next = forked_sleeper();
  auto tree = cgroup_tree::open(cgroup.path());
  CAF_REQUIRE(tree);
  CAF_CHECK((*tree)->make_keeper(2048));
  ::mkdir((cgroup / "keeper-2048/service").c_str(), 0755);
  CAF_REQUIRE(cgroup.put("keeper-2048/service", last));
  for (int i = 0; i < 2; ++i) { // The second time there is none.
    CAF_CHECK((*tree)->put_keeper_aside(2048));
    CAF_CHECK(cgroup.cgroups() == std::vector<std::string>{"keeper-2048.last"});
  }
  CAF_CHECK((*tree)->make_keeper(2048));
  CAF_REQUIRE(cgroup.put("keeper-2048", next));
  CAF_CHECK((*tree)->keepers() == (std::vector<vm_cid>{2048, 2048}));
  CAF_CHECK((*tree)->remove_keeper(2048));
  CAF_CHECK_EQUAL(signal_of(next), SIGKILL);
  CAF_CHECK_EQUAL(::waitpid(last, nullptr, WNOHANG), 0);
  CAF_CHECK((*tree)->remove_last_keeper(2048));
  CAF_CHECK_EQUAL(signal_of(last), SIGKILL);
  CAF_CHECK(cgroup.cgroups().empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
