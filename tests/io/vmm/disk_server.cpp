// SPDX-License-Identifier: Apache-2.0
// Disks of partitions and who serves them: the real nbdkit with qemu-io as the VMM, and scripts for
// everything that goes wrong.
#include "crosvisor/io/vmm/disk_server.hpp"

#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/tests/io/disk/memory_file.hpp"
#include "crosvisor/tests/io/launched_vms.hpp"

#include <caf/test/dsl.hpp>

#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.disk_server

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr std::size_t part_bytes = 64u << 10;

// Ends with the VMM's connection, as the real one does.
constexpr auto follows = "exec cat >/dev/null";
constexpr auto waits = "read line <&$CONTROL";

unique_fd own(const memory_file& file, int mode) {
  return unique_fd{::open(file.path().c_str(), mode | O_CLOEXEC)};
}

std::string path_of(const unique_fd& fd) {
  return "/proc/self/fd/" + std::to_string(fd.get());
}

struct fixture : launched_vms {
  memory_file fixed{std::string(part_bytes, 'f')};
  memory_file written{std::string(part_bytes, 'w')};
  std::weak_ptr<const built_disks> given;
  std::shared_ptr<vmm_process> vmm;

  void open_with(const std::string& script, const std::string& nbdkit) {
    disk_server = {nbdkit, NBDKIT_PLUGIN};
    open(script);
  }

  // As open_with(), with a script for nbdkit.
  void open_played(const std::string& script, const std::string& nbdkit) {
    open_with(script, dir.write("nbdkit", "#!/bin/bash\n" + nbdkit + "\n", 0755));
  }

  // A disk of a partition that is fixed and one that can be written.
  composite_disk make_disk() const {
    composite_disk disk;
    disk.owned.push_back(own(fixed, O_RDONLY));
    disk.owned.push_back(own(written, O_RDWR));
    for (const auto& fd : disk.owned)
      disk.components.push_back(fd.get());
    disk.size_bytes = 2 * part_bytes;
    memory_file described{serialize(
      {1,
       {{path_of(disk.owned[0]), 0, 0, false}, {path_of(disk.owned[1]), part_bytes, 0, true}},
       disk.size_bytes})};
    disk.descriptor = own(described, O_RDONLY);
    return disk;
  }

  launch_request request_with_disk() {
    auto made = request();
    made.config.disks.resize(1);
    made.config.disks[0].writable = true;
    made.config.disks[0].partitions = {{"fixed", {"fixed", 0}, image_format::raw, false, ""}};
    auto disks = std::make_shared<built_disks>();
    disks->emplace(0, make_disk());
    given = disks;
    made.disks = std::move(disks);
    return made;
  }

  void start() { vmm = launch(request_with_disk()); }

  std::string log() { return read_file(dir / "state/logs/2048-demo/vmm.log"); }

  std::vector<launch_report> told(std::size_t count) {
    auto all = reports.wait(count);
    CAF_REQUIRE_EQUAL(all.size(), count);
    return all;
  }

  std::string nth_word(std::size_t n) { return told(n).back().what; }

  void check_fails(launch_request what, launch_failure where, const std::string& words) {
    vmm = launch(std::move(what));
    auto last = told(1).back();
    CAF_CHECK_EQUAL(last.what, "failed");
    CAF_CHECK(last.where == where);
    CAF_CHECK_NOT_EQUAL(last.words.find(words), std::string::npos);
    check_nothing_left();
  }

  void check_nothing_left() {
    CAF_CHECK(given.expired());
    mailbox<bool> released;
    vmm->release([&] { released.put(true); });
    CAF_CHECK_EQUAL(released.wait(1).size(), 1u);
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(idle));
    vmm = nullptr;
    launcher = nullptr;
  }
};

std::string name_of_process(int pid) {
  auto name = read_file("/proc/" + std::to_string(pid) + "/comm");
  return name.substr(0, name.find('\n'));
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(disk_server_tests, fixture)

CAF_TEST(a VMM reads and writes partitions through the real server) {
  open_with("exec qemu-io -c 'read -P 0x66 0 64k' -c 'read -P 0x77 64k 64k' -c 'write -P 0x21 64k "
            "4k' -c 'discard 72k 4k' -c 'write -P 0x21 0 4k' -c flush --image-opts "
            "driver=nbd,server.type=fd,server.str=$DISK0",
            "/usr/bin/nbdkit");
  start();
  auto last = told(2).back();
  CAF_CHECK_EQUAL(last.what, "exit");
  CAF_MESSAGE(log());
  CAF_CHECK_NOT_EQUAL(log().find("read 65536/65536 bytes at offset 65536"), std::string::npos);
  CAF_CHECK_EQUAL(log().find("Pattern verification failed"), std::string::npos);
  CAF_CHECK_NOT_EQUAL(log().find("offset 0: is read-only"), std::string::npos);
  CAF_CHECK(fixed.content() == std::string(part_bytes, 'f'));
  CAF_CHECK(written.content()
            == std::string(4096, '!') + std::string(4096, 'w') + std::string(4096, '\0')
                 + std::string(part_bytes - 12288, 'w'));
  check_nothing_left();
}

CAF_TEST(a server that is killed is a fault of its VM) {
  open_with(waits, "/usr/bin/nbdkit");
  start();
  CAF_CHECK_EQUAL(nth_word(1), "up");
  for (auto pid : child_pids())
    if (name_of_process(pid) == "nbdkit")
      ::kill(pid, SIGKILL);
  auto fault = told(2)[1];
  CAF_CHECK_EQUAL(fault.what, "fault");
  CAF_CHECK_EQUAL(fault.words, "its disk server ended: signal 9");
  vmm->kill();
  CAF_CHECK_EQUAL(nth_word(3), "exit");
  check_nothing_left();
}

CAF_TEST(a server that ends while its VMM goes on is a fault) {
  open_played(waits, "exit 0");
  start();
  auto fault = told(2)[1];
  CAF_CHECK_EQUAL(fault.words, "its disk server ended: exit code 0");
  vmm->kill();
  CAF_CHECK_EQUAL(nth_word(3), "exit");
  check_nothing_left();
}

CAF_TEST(the server of a disk gets that disk and nothing else) {
  open_played(waits, "echo \"$*\" >&2; ls -l /proc/$$/fd >&2; " + std::string{follows});
  auto asked = request_with_disk();
  const auto& disk = asked.disks->at(0);
  auto wanted = "--single --log=stderr --threads 4 " NBDKIT_PLUGIN " file="
                + path_of(disk.descriptor) + " sparse=none\n";
  auto numbers = disk.components;
  numbers.push_back(disk.descriptor.get());
  vmm = launch(std::move(asked));
  CAF_CHECK_EQUAL(nth_word(1), "up");
  vmm->kill();
  CAF_CHECK_EQUAL(nth_word(2), "exit");
  CAF_CHECK_EQUAL(log().substr(0, wanted.size()), wanted);
  // 255 is bash's own, for its script.
  std::vector<int> others;
  for (auto at = log().find(" -> "); at != std::string::npos; at = log().find(" -> ", at + 1)) {
    auto number = std::stoi(log().substr(log().rfind(' ', at - 1) + 1));
    if (number > 2 && number != 255)
      others.push_back(number);
  }
  std::sort(others.begin(), others.end());
  std::sort(numbers.begin(), numbers.end());
  CAF_CHECK(others == numbers);
  check_nothing_left();
}

CAF_TEST(a server that does not end with its VMM is killed) {
  open_played("exit 0", "exec sleep 1000");
  start();
  auto all = told(2);
  CAF_CHECK_EQUAL(all[1].what, "exit");
  CAF_CHECK(all[1].exit.reason == death_reason::shutdown);
  check_nothing_left();
}

CAF_TEST(a VMM that can not be started takes the server with it) {
  disk_server = {"/usr/bin/nbdkit", NBDKIT_PLUGIN};
  open("", "/nowhere/qemu");
  check_fails(request_with_disk(), launch_failure::no_vmm, "can't be executed");
}

CAF_TEST(a server that can not be started is why its VM is not ) {
  open_with(waits, "/nowhere/nbdkit");
  check_fails(request_with_disk(), launch_failure::host,
              "disk server: \"/nowhere/nbdkit\" can't be executed");
}

CAF_TEST(without a server there are no disks of partitions) {
  open(waits);
  check_fails(request_with_disk(), launch_failure::host, "disks of partitions need nbdkit");
}

CAF_TEST(partitions that nobody built a disk from are refused) {
  open_with(waits, "/usr/bin/nbdkit");
  auto asked = request_with_disk();
  asked.disks = nullptr;
  check_fails(std::move(asked), launch_failure::bad_files, "disks[0]: ");
}

CAF_TEST(what is not installed is said with its remedy) {
  auto none = find_disk_server("", {dir.path()});
  CAF_REQUIRE(!none);
  CAF_CHECK_EQUAL(none.why().what, "no nbdkit in " + dir.path() + "; install the package nbdkit");
  auto found = find_disk_server(NBDKIT_PLUGIN, {"/usr/bin"});
  CAF_REQUIRE(found);
  CAF_CHECK_EQUAL(found->nbdkit, "/usr/bin/nbdkit");
  CAF_CHECK_EQUAL(found->plugin, NBDKIT_PLUGIN);
  auto no_plugin = find_disk_server(dir / "plugin.so", {"/usr/bin"});
  CAF_REQUIRE(!no_plugin);
  CAF_CHECK_NOT_EQUAL(no_plugin.why().what.find("No such file"), std::string::npos);
}

CAF_TEST(a server is told what is sparse and what is fixed) {
  described_disk disk;
  disk.fd = 7;
  disk.components = {9, 8};
  disk.sparse = {9, 8};
  auto command = disk_server_command({"/usr/bin/nbdkit", "/p.so"}, disk, 5, 6);
  CAF_CHECK(
    command.argv
    == std::vector<std::string>({"/usr/bin/nbdkit", "--single", "--log=stderr", "--threads", "4",
                                 "--readonly", "/p.so", "file=/proc/self/fd/7", "sparse=9,8"}));
  CAF_CHECK(command.inherited == std::vector<int>({9, 8, 7}));
  CAF_CHECK_EQUAL(command.stdin_fd, 5);
  CAF_CHECK_EQUAL(command.stdout_fd, 5);
  CAF_CHECK_EQUAL(command.stderr_fd, 6);
}

CAF_TEST_FIXTURE_SCOPE_END()
