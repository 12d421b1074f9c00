// SPDX-License-Identifier: Apache-2.0
// Real guests whose VMMs and helpers run as users of their own, with files that are root's alone.
#include "crosvisor/tests/io/test_cgroup.hpp"
#include "crosvisor/tests/judge.hpp"
#include "crosvisor/tests/system/guest_stream.hpp"
#include "crosvisor/tests/system/guest_vm.hpp"

#include <caf/test/dsl.hpp>

#include <unistd.h>

#include <filesystem>
#include <set>

#undef CAF_SUITE
#define CAF_SUITE guest.confined

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

constexpr std::uint32_t echo_port = 7001; // See docs/guest-protocol.md.

io::confinement_options confinement(const test_cgroup& cgroup) {
  io::confinement_options options;
  options.users.emplace();
  options.cgroup = cgroup ? cgroup.path() : "";
  return options;
}

// Goes after the host, which has drained its VMs by then.
struct confined_host {
  test_cgroup cgroup;

  ~confined_host() {
    if (cgroup)
      CAF_CHECK(cgroup.cgroups().empty());
  }
};

struct fixture : confined_host, guest_host {
  fixture() : guest_host(io::log_bounds{}, confinement(cgroup)) {}

  /// A file of `owner` that nobody else can read.
  std::string closed_file(const std::string& name, const std::string& text, uid_t owner = 0) {
    auto path = scratch().write(name, text, 0600);
    std::filesystem::resize_file(path, 65'536);
    CAF_REQUIRE_EQUAL(::chown(path.c_str(), owner, owner), 0);
    return path;
  }

  guest_plan closed_plan(const std::string& action, const std::string& params = "") {
    guest_plan plan{action, params};
    plan.closed_boot_files(scratch());
    return plan;
  }

  /// Runs a guest to its end, which must be a clean one, and returns its console.
  std::string run(guest_plan plan) {
    guest_vm vm{*this, std::move(plan)};
    vm.start();
    CAF_CHECK_EQUAL(summary_of(vm.await_death()), "shutdown, code 0");
    return kept_log(vm.info(), "console");
  }

  static void check_has(const std::string& console, const std::string& line) {
    if (console.find(line + "\r\n") == console.npos)
      CAF_ERROR("no line \"" << line << "\" in: " << console);
    else
      CAF_CHECK(true);
  }
};

/// The line `name` of a process's status, without its name.
std::string status_line(int pid, const std::string& name) {
  std::ifstream lines{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + ":\t"))
      return line.substr(name.size() + 2);
  return {};
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(guest_confined, fixture)

CAF_TEST(a guest has disks that root and others have for themselves) {
  auto read = closed_file("read.raw", "of another user", 12'345);
  auto image = scratch() / "disk.qcow2";
  auto made = ask("qemu-img create -f qcow2 " + image + " 64M && chmod 0600 " + image);
  if (made.exit_code != 0)
    CAF_FAIL("qemu-img: " << made.out << "; `./dev setup run` installs it");
  auto console = run(closed_plan("disks", "crosvisor.write=by-the-guest")
                       .disk(read, false)
                       .disk(image, true, image_format::qcow2));
  check_has(console, "demo: vda text of another user");
  check_has(console, "demo: vdb text by-the-guest");
}

CAF_TEST(a guest has partitions that root and others have for themselves) {
  auto system = closed_file("system.img", "of another user", 12'345);
  auto data = closed_file("data.img", "before");
  auto console =
    run(closed_plan("disks", "crosvisor.from=vda1 crosvisor.to=vda2 crosvisor.write=by-the-guest")
          .disk_of_partitions(true)
          .partition("system", system)
          .partition("data", data, true));
  check_has(console, "demo: vda1 text of another user");
  check_has(console, "demo: vda2 text by-the-guest");
  CAF_CHECK_EQUAL(read_file(data).substr(0, 12), "by-the-guest");
}

CAF_TEST(all processes of a guest are its user and in its cgroup and are reached by signals) {
  auto plan = closed_plan("serve");
  plan.config.guest_protocol = true;
  plan.disk_of_partitions(false).partition("system", closed_file("system.img", "x"));
  auto before = child_pids();
  guest_vm vm{*this, std::move(plan)};
  vm.start();
  vm.await(vm_event_kind::ready);
  auto echo = vm.connect(echo_port);
  CAF_CHECK(echo.send("hello"));
  CAF_CHECK_EQUAL(echo.receive(5), "hello");
  auto id = std::to_string(0x70000000u + vm.info().cid);
  auto four = id + '\t' + id + '\t' + id + '\t' + id;
  std::multiset<std::string> names;
  for (auto pid : child_pids()) {
    names.insert(status_line(pid, "Name"));
    CAF_CHECK_EQUAL(status_line(pid, "Uid"), four);
    CAF_CHECK_EQUAL(status_line(pid, "Gid"), four);
    CAF_CHECK_EQUAL(status_line(pid, "CapEff"), "0000000000000000");
    CAF_CHECK_EQUAL(status_line(pid, "NoNewPrivs"), "1");
    if (cgroup)
      CAF_CHECK(cgroup_of(pid).ends_with("/vm-" + std::to_string(vm.info().cid)));
  }
  CAF_CHECK(names == (std::multiset<std::string>{"crosvisor-vsock", "nbdkit", "qemu-system-x86"}));
  vm.demand<vm_info>(kill_atom::value);
  CAF_CHECK_EQUAL(summary_of(vm.await_death()), "killed, signal 9");
  CAF_CHECK(child_pids() == before);
}

CAF_TEST_FIXTURE_SCOPE_END()
