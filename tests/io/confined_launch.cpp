// SPDX-License-Identifier: Apache-2.0
// The launcher where each VM has a user and a cgroup of its own. All of this needs root.
#include "crosvisor/tests/io/launched_vms.hpp"
#include "crosvisor/tests/io/test_cgroup.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>
#include <optional>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE io.confined_launch

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace fs = std::filesystem;

namespace {

struct fixture : launched_vms {
  mailbox<bool> released;

  fixture() {
    CAF_REQUIRE_EQUAL(::geteuid(), 0u);
    fs::permissions(dir.path(), static_cast<fs::perms>(0711)); // For programs in it.
    confine({});
  }

  void confine(const std::string& cgroup) {
    confinement_options options;
    options.users.emplace();
    options.cgroup = cgroup;
    auto made = vmm_confinement::make(options, {}, {});
    if (!made)
      CAF_FAIL(made.why().what);
    confinement = std::move(*made);
    before = holdings{};
  }

  std::string log(const std::string& name, vm_cid cid = 2048) {
    return read_file(dir / ("state/logs/" + std::to_string(cid) + "-demo/" + name));
  }

  /// The first that its VMM or a helper says while it runs.
  std::string await_words() {
    auto deadline = std::chrono::steady_clock::now() + patience;
    while (log("vmm.log").empty() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    return log("vmm.log");
  }

  /// Launches it, and returns what its VMM said until its end.
  std::string run(launch_request what) {
    auto vmm = launch(std::move(what));
    auto told = reports.wait_for([](auto& all) { return !all.empty() && all.back().what != "up"; });
    CAF_REQUIRE(!told.empty());
    if (told.back().what != "exit")
      CAF_FAIL(told.back().what << ": " << told.back().words);
    auto said = log("vmm.log");
    release(vmm);
    return said;
  }

  void release(const std::shared_ptr<vmm_process>& vmm) {
    released.clear();
    vmm->release([this] { released.put(true); });
    CAF_REQUIRE_EQUAL(released.wait(1).size(), 1u);
  }

  void close_kernel() { fs::permissions(kernel, fs::perms::owner_read | fs::perms::owner_write); }

  void add_disk(launch_request& to, const std::string& content) const {
    auto path = dir.write("disk.img", content, 0600);
    auto index = to.files->add(unique_fd{::open(path.c_str(), O_RDWR | O_CLOEXEC)});
    to.config.disks.push_back({{"disk.img", index}, image_format::raw, true});
  }

  void check_nothing_left() {
    CAF_CHECK_EQUAL(names_in(dir / "run"), ".lock");
    launcher = nullptr;
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }
};

constexpr auto whole_id = "echo $(id -u) $(id -g) $(id -G); ";

} // namespace

CAF_TEST_FIXTURE_SCOPE(confined_launch_tests, fixture)

CAF_TEST(each VM has the user of its CID) {
  open(whole_id);
  CAF_CHECK_EQUAL(run(request()), "1879050240 1879050240 1879050240\n");
  reports.clear();
  auto vmm = launch(request(4000));
  reports.wait(2);
  CAF_CHECK_EQUAL(log("vmm.log", 4000), "1879052192 1879052192 1879052192\n");
  release(vmm);
  check_nothing_left();
}

CAF_TEST(a first uid of 0 leaves a VM as it was) {
  confinement_options options;
  options.users.emplace().first_uid = 0;
  confinement = *vmm_confinement::make(options, {}, {});
  open("id -u; ulimit -n");
  rlimit own;
  ::getrlimit(RLIMIT_NOFILE, &own);
  CAF_CHECK_EQUAL(run(request()), "0\n" + std::to_string(own.rlim_cur) + "\n");
  check_nothing_left();
}

CAF_TEST(a kernel of root alone is read from memory and a disk through its descriptor) {
  open("cat /proc/self/fd/$KERNEL; readlink /proc/self/fd/$KERNEL; cat <&$DISK0; "
       "echo written >&$DISK0; cat /proc/self/fd/$DISK0 || echo closed");
  close_kernel();
  auto asked = request();
  add_disk(asked, "12345678");
  auto said = run(std::move(asked));
  CAF_CHECK_EQUAL(said.substr(0, said.find("cat:")), "kernel/memfd:kernel (deleted)\n12345678");
  CAF_CHECK_EQUAL(said.substr(said.rfind('\n', said.size() - 2)), "\nclosed\n");
  CAF_CHECK_EQUAL(read_file(dir / "disk.img"), "12345678written\n");
  check_nothing_left();
}

CAF_TEST(a kernel that everybody can read is not copied) {
  open("readlink /proc/self/fd/$KERNEL");
  CAF_CHECK_EQUAL(run(request()), kernel + "\n");
  check_nothing_left();
}

CAF_TEST(a kernel is copied for a VMM that opens it by path alone) {
  reopens = reopened_files::none;
  open("readlink /proc/self/fd/$KERNEL");
  close_kernel();
  CAF_CHECK_EQUAL(run(request()), kernel + "\n");
  check_nothing_left();
}

CAF_TEST(a kernel that is too large to be copied starts nothing) {
  open("exit 0");
  close_kernel();
  fs::resize_file(kernel, (std::uintmax_t{512} << 20) + 1);
  auto vmm = launch(request());
  auto told = reports.wait(1);
  CAF_REQUIRE_EQUAL(told.size(), 1u);
  CAF_CHECK(told.back().where == launch_failure::bad_files);
  CAF_CHECK_EQUAL(told.back().words,
                  "kernel \"vmlinux\": can't be read by all users, and has more than the 512 MiB "
                  "that are copied; chmod it to o+r");
  release(vmm);
  check_nothing_left();
}

CAF_TEST(a VMM that opens by path what it inherits is let in and no other is) {
  constexpr auto script = "echo to console >/proc/self/fd/$CONSOLE || echo no console\n"
                          "touch $CONTROL_PATH || echo no socket\n"
                          "echo $CONTROL_PATH; stat -c %u /proc/self/fd/$CONTROL_DIR/control\n"
                          "ls /proc/self/fd/$CONTROL_DIR/.. || echo closed above\n";
  reopens = reopened_files::all;
  open(script);
  auto said = run(request());
  CAF_CHECK_EQUAL(log("console.log"), "to console\n");
  CAF_CHECK_EQUAL(said.substr(0, 14), "/proc/self/fd/");
  CAF_CHECK_NOT_EQUAL(said.find("/control\n1879050240\n"), std::string::npos);
  CAF_CHECK_NOT_EQUAL(said.find("closed above\n"), std::string::npos);
  launcher = nullptr;
  reports.clear();
  reopens = reopened_files::boot;
  open("echo to console >/proc/self/fd/$CONSOLE || echo no console; touch $CONTROL_PATH || echo no "
       "socket");
  said = run(request());
  for (auto* refused : {"no console\n", "no socket\n"})
    CAF_CHECK_NOT_EQUAL(said.find(refused), std::string::npos);
  check_nothing_left();
}

CAF_TEST(one VM reaches nothing of another) {
  open("read line <&$CONTROL");
  auto other = launch(request(3000));
  auto pid = reports.wait(1).back().pid;
  CAF_REQUIRE_GREATER(pid, 0);
  auto number = std::to_string(pid);
  vmm_drivers drivers;
  vmm_launcher_options options;
  options.runtime_root = dir / "run2";
  options.state_dir = dir / "state";
  options.confinement = confinement;
  drivers.qemu = std::make_unique<script_driver>(
    "kill -KILL " + number + " || echo no signal; ls /proc/" + number
    + "/fd || echo no descriptors; head -c 1 /proc/" + number + "/mem || echo no memory; ls "
    + (dir / "run/3000") + " || echo no directory");
  auto first = std::exchange(launcher, *make_linux_vmm_launcher(options, std::move(drivers)));
  auto vmm = launch(request());
  reports.wait(3);
  auto said = log("vmm.log");
  for (auto* refused : {"no signal\n", "no descriptors\n", "no memory\n", "no directory\n"})
    CAF_CHECK_NOT_EQUAL(said.find(refused), std::string::npos);
  release(vmm);
  other->terminate();
  auto last = reports.wait(4).back();
  CAF_CHECK_EQUAL(last.exit.value, SIGTERM);
  release(other);
  first = nullptr;
  check_nothing_left();
}

CAF_TEST(helpers have the same user) {
  auto helper =
    dir.write("vsock", std::string{"#!/bin/bash\n"} + whole_id + "exec cat <&$4\n", 0755);
  open("read line <&$CONTROL", "/bin/bash", helper);
  auto vmm = launch(request());
  reports.wait(1);
  CAF_CHECK_EQUAL(await_words(), "1879050240 1879050240 1879050240\n");
  vmm->kill();
  reports.wait_for([](auto& all) { return all.back().what == "exit"; });
  release(vmm);
  check_nothing_left();
}

CAF_TEST(what cannot be confined is refused or runs with a warning) {
  auto program = dir.write("program", "#!/bin/sh\n", 0700);
  confinement_options options;
  options.users.emplace();
  auto refused = vmm_confinement::make(options, {program}, {});
  CAF_REQUIRE(!refused);
  CAF_CHECK_EQUAL(refused.why().what, "VMs can't have users of their own: \"" + program
                                        + "\" is closed to users of VMs; chmod it to o+rx");
  options.optional = true;
  auto made = vmm_confinement::make(options, {program}, {});
  CAF_REQUIRE(made);
  CAF_CHECK(!made->users());
  options.optional = false;
  options.users->first_uid = 0xffffffff - 65535;
  CAF_CHECK(!vmm_confinement::make(options, {}, {}));
}

CAF_TEST(a VM and its helpers are in its cgroup and nothing of it is left) {
  test_cgroup cgroup;
  if (!cgroup)
    return;
  confine(cgroup.path());
  auto helper =
    dir.write("vsock", "#!/bin/bash\ngrep ^0: /proc/self/cgroup; exec cat <&$4\n", 0755);
  // Somebody of its own, whom nobody waits for.
  open("setsid sleep 1000 >/dev/null & read line <&$CONTROL", "/bin/bash", helper);
  auto vmm = launch(request());
  auto pid = reports.wait(1).back().pid;
  auto suffix = cgroup.path().substr(cgroup.path().rfind('/')) + "/vm-2048";
  CAF_CHECK(cgroup_of(pid).ends_with(suffix));
  CAF_CHECK_NOT_EQUAL(await_words().find(suffix + "\n"), std::string::npos);
  vmm->kill();
  reports.wait_for([](auto& all) { return all.back().what == "exit"; });
  CAF_CHECK_EQUAL(cgroup.cgroups(), std::vector<std::string>{"vm-2048"});
  release(vmm);
  CAF_CHECK(cgroup.cgroups().empty());
  launcher = nullptr;
  confinement = {};
}

CAF_TEST(a launch that fails leaves no cgroup) {
  test_cgroup cgroup;
  if (!cgroup)
    return;
  confine(cgroup.path());
  open("exit 0", "/no/such/vmm");
  auto vmm = launch(request());
  auto told = reports.wait(1);
  CAF_REQUIRE_EQUAL(told.size(), 1u);
  CAF_CHECK_EQUAL(told.back().what, "failed");
  CAF_CHECK(cgroup.cgroups().empty());
  release(vmm);
  check_nothing_left();
  confinement = {};
}

CAF_TEST(without descriptors a launch fails at each step and leaves nothing) {
  close_kernel();
  open("exit 0");
  auto first = launch(request(3000));
  CAF_REQUIRE_EQUAL(reports.wait(2).size(), 2u);
  release(first);
  first = nullptr;
  idle = holdings{};
  auto seen = 2u;
  auto failures = 0;
  for (auto free = 0u; free < 40; ++free) {
    auto asked = request();
    std::optional<descriptor_limit> limit{free};
    auto vmm = launch(std::move(asked));
    auto told =
      reports.wait_for([seen](auto& all) { return all.size() > seen && all.back().what != "up"; });
    limit.reset();
    CAF_REQUIRE_GREATER(told.size(), seen);
    seen = told.size();
    failures += told.back().what == "failed" ? 1 : 0;
    release(vmm);
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(idle));
    CAF_CHECK_EQUAL(names_in(dir / "run"), ".lock");
  }
  CAF_CHECK_GREATER(failures, 10);
  CAF_CHECK_LESS(failures, 39);
  check_nothing_left();
}

CAF_TEST_FIXTURE_SCOPE_END()
