// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/confinement.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/xattr.h>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.confinement

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace fs = std::filesystem;

namespace {

constexpr auto all_capabilities = "Name:\tx\nCapEff:\t000001ffffffffff\n";
constexpr auto all_ids = "         0          0 4294967295\n";

struct fixture {
  temp_dir dir;

  fixture() {
    proc("status", all_capabilities);
    proc("uid_map", all_ids);
    proc("gid_map", all_ids);
    proc("setgroups", "allow\n");
  }

  void proc(const std::string& name, const std::string& content) const { dir.write(name, content); }

  std::string problem(const vmm_user_range& users = {}) const {
    auto able = check_vmm_users(users, dir.path());
    return able ? "" : able.why().what;
  }

  std::string unreachable(const std::string& path, file_use use) const {
    auto able = check_reach(path, use);
    return able ? "" : able.why().what;
  }

  /// A folder that looks like a cgroup, below a mount at `mount`.
  std::string cgroup(const std::string& path) const {
    auto folder = dir / path;
    fs::create_directories(folder);
    dir.write(path + "/cgroup.procs", "");
    dir.write(path + "/cgroup.subtree_control", "");
    return folder;
  }

  void mount(const std::string& root, const std::string& point) const {
    proc("mountinfo", "22 1 0:5 / /proc rw - proc proc rw\n"
                      "30 22 0:27 /x "
                        + dir / "wrong"
                        + " rw - cgroup2 cgroup2 rw\n"
                          "40 30 0:37 "
                        + root + " " + dir / point
                        + " rw,relatime shared:9 - cgroup2 cgroup2 rw\n");
  }

  std::string found() const {
    auto folder = find_delegated_cgroup(dir.path());
    return folder ? *folder : folder.why().what;
  }

  static void delegate(const std::string& folder) {
    CAF_REQUIRE_EQUAL(::setxattr(folder.c_str(), "trusted.delegate", "1", 1, 0), 0);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(confinement_tests, fixture)

CAF_TEST(the user of a VM is the first plus its CID) {
  auto user = user_of({0x70000000}, 2048);
  CAF_CHECK_EQUAL(user.uid, 0x70000800u);
  CAF_CHECK_EQUAL(user.gid, 0x70000800u);
  CAF_CHECK(user.groups.empty());
}

CAF_TEST(a process that may do all can have users for VMs) {
  CAF_CHECK_EQUAL(problem(), "");
}

CAF_TEST(each capability is needed) {
  for (auto [held, missing] : {std::pair{"000001ffffffff7f", "CAP_SETUID"},
                               {"000001ffffffffbf", "CAP_SETGID"},
                               {"000001ffffffffdf", "CAP_KILL"},
                               {"0000000000000000", "CAP_SETUID"}}) {
    proc("status", std::string{"CapPrm:\t000001ffffffffff\nCapEff:\t"} + held + "\n");
    CAF_CHECK_EQUAL(problem(), std::string{"this process lacks "} + missing
                                 + ", so it can't run VMs as users of their own");
  }
}

CAF_TEST(all ids must be there) {
  proc("uid_map", "0 1000 1\n1 100000 65536\n"); // As in a container without root.
  CAF_CHECK_EQUAL(problem(), "uid 1879048193, a VM's, is not there in this user namespace");
  CAF_CHECK_EQUAL(problem({1, 65535}), "");
  CAF_CHECK_EQUAL(problem({1, 65536}), "uid 65537, a VM's, is not there in this user namespace");
  proc("uid_map", "0 0 4294967295\n");
  proc("gid_map", "1879100000 5 100000\n0 9 1879100000\n");
  CAF_CHECK_EQUAL(problem(), "");
  proc("gid_map", "1879100001 5 100000\n0 9 1879100000\n");
  CAF_CHECK_EQUAL(problem(), "gid 1879100000, a VM's, is not there in this user namespace");
  proc("gid_map", "");
  CAF_CHECK_EQUAL(problem(), "gid 1879048193, a VM's, is not there in this user namespace");
}

CAF_TEST(no id may be past the end) {
  CAF_CHECK_EQUAL(problem({0xffff0000, 65534}), "");
  CAF_CHECK_EQUAL(problem({0xffff0000, 65535}), "the users of VMs would go up to 4294967295; the "
                                                "highest there can be is 4294967294");
}

CAF_TEST(groups must be changeable) {
  proc("setgroups", "deny\n");
  CAF_CHECK_EQUAL(problem(), "this user namespace lets nobody change groups");
}

CAF_TEST(a file is reached by all if its folders are) {
  fs::permissions(dir.path(), static_cast<fs::perms>(0711));
  fs::create_directories(dir / "a/b");
  auto path = dir.write("a/b/program", "", 0755);
  CAF_CHECK_EQUAL(unreachable(path, file_use::execute), "");
  fs::permissions(path, static_cast<fs::perms>(0744));
  CAF_CHECK_EQUAL(unreachable(path, file_use::read), "");
  CAF_CHECK_EQUAL(unreachable(path, file_use::execute),
                  "\"" + path + "\" is closed to users of VMs; chmod it to o+rx");
  fs::permissions(path, static_cast<fs::perms>(0755));
  fs::permissions(dir / "a", static_cast<fs::perms>(0750));
  CAF_CHECK_EQUAL(unreachable(path, file_use::read),
                  "\"" + (dir / "a") + "\" is closed to users of VMs; chmod it to o+x");
  // Neither by a link from where it could be reached, nor by one that is closed itself.
  fs::create_symlink(path, dir / "link");
  CAF_CHECK_EQUAL(unreachable(dir / "link", file_use::read),
                  "\"" + (dir / "a") + "\" is closed to users of VMs; chmod it to o+x");
  fs::create_symlink("/bin/sh", dir / "a/sh");
  CAF_CHECK_EQUAL(unreachable(dir / "a/sh", file_use::execute),
                  "\"" + (dir / "a") + "\" is closed to users of VMs; chmod it to o+x");
  CAF_CHECK_EQUAL(unreachable(dir / "none", file_use::read),
                  "\"" + (dir / "none") + "\": No such file or directory");
}

CAF_TEST(a cgroup that systemd delegated is found) {
  proc("cgroup", "4:memory:/old\n0::/system.slice/crosvisord.service\n");
  mount("/", "sys");
  auto folder = cgroup("sys/system.slice/crosvisord.service");
  CAF_CHECK_EQUAL(found(), "cgroup \"" + folder
                             + "\" is not delegated; Delegate=yes in the service's unit does it");
  delegate(folder);
  CAF_CHECK_EQUAL(found(), folder);
}

CAF_TEST(so is one above with DelegateSubgroup) {
  proc("cgroup", "0::/crosvisord.service/service\n");
  mount("/", "sys");
  auto folder = cgroup("sys/crosvisord.service");
  cgroup("sys/crosvisord.service/service");
  delegate(folder);
  CAF_CHECK_EQUAL(found(), folder);
}

CAF_TEST(a mount may show a part of the tree at a path with blanks) {
  proc("cgroup", "0::/machine/box/crosvisord\n");
  mount("/machine/box", "a\\040b\\134c");
  auto folder = cgroup("a b\\c/crosvisord");
  delegate(folder);
  CAF_CHECK_EQUAL(found(), folder);
  mount("/machine/bo", "a\\040b\\134c");
  CAF_CHECK_EQUAL(found(), "this process's cgroup \"/machine/box/crosvisord\" is mounted nowhere");
}

CAF_TEST(without a cgroup of version 2 there is none) {
  CAF_CHECK_EQUAL(found(), "this process is in no cgroup of version 2");
  proc("cgroup", "4:memory:/x\n");
  CAF_CHECK_EQUAL(found(), "this process is in no cgroup of version 2");
  proc("cgroup", "0::/../x\n");
  CAF_CHECK_EQUAL(found(), "this process's cgroup \"/../x\" is out of its sight");
  proc("cgroup", "0::/x\n");
  CAF_CHECK_EQUAL(found(), "this process's cgroup \"/x\" is mounted nowhere");
}

CAF_TEST_FIXTURE_SCOPE_END()
