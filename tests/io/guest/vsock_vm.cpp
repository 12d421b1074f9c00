// SPDX-License-Identifier: Apache-2.0
// A VM and its vsock device, both played by scripts: how they are started together and end
// together.
#include "crosvisor/io/guest/vsock_device.hpp"

#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/io/linux_vmm_launcher.hpp"
#include "crosvisor/tests/io/guest/sockets.hpp"
#include "crosvisor/tests/io/script_driver.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#include <fstream>

#undef CAF_SUITE
#define CAF_SUITE io.guest.vsock_vm

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

/// Ends with the VMM's connection, as the real one does.
constexpr auto follows = "exec cat <&$vmm >/dev/null";

struct report {
  std::string what;
  std::string words;
  vmm_exit exit;
};

struct fixture {
  holdings before;
  temp_dir dir;
  std::string kernel = dir.write("vmlinux", "kernel");
  std::shared_ptr<vmm_launcher> launcher;
  std::shared_ptr<vmm_process> vmm;
  holdings idle;
  mailbox<report> reports;
  mailbox<int> codes;

  std::string device_script(const std::string& body) {
    auto path = dir.write("crosvisor-vsock", "#!/bin/bash\n"
                                             "[ \"$1 $2 $3 $5\" = '--cid 2048 --vmm-fd "
                                             "--service-fd' ] || exit 9\n"
                                             "vmm=$4 service=$6\n"
                                               + body + "\n");
    ::chmod(path.c_str(), 0755);
    return path;
  }

  void open(const std::string& vmm_script, const std::string& device,
            const std::string& program = "/bin/bash") {
    vmm_launcher_options options;
    options.runtime_root = dir / "run";
    options.state_dir = dir / "state";
    options.vsock_program = device;
    vmm_drivers drivers;
    drivers.qemu = std::make_unique<script_driver>(vmm_script, program);
    auto made = make_linux_vmm_launcher(options, std::move(drivers));
    CAF_REQUIRE(made);
    launcher = *made;
    idle = holdings{};
  }

  void launch() {
    launch_request asked;
    asked.cid = 2048;
    asked.config.name = "demo";
    asked.config.kernel = {"vmlinux", 0};
    asked.choice = {vmm_kind::qemu, accel_kind::tcg};
    asked.files = std::make_shared<descriptor_set>();
    asked.files->add(unique_fd{::open(kernel.c_str(), O_RDONLY | O_CLOEXEC)});
    vmm_callbacks to;
    to.on_up = [this](int) { reports.put({"up", {}, {}}); };
    to.on_launch_failed = [this](launch_failure, std::string what) {
      reports.put({"failed", std::move(what), {}});
    };
    to.on_fault = [this](std::string what) { reports.put({"fault", std::move(what), {}}); };
    to.on_exit = [this](vmm_exit exit) { reports.put({"exit", {}, std::move(exit)}); };
    vmm = launcher->launch(std::move(asked), std::move(to));
  }

  void connect(std::uint32_t port) {
    vmm->connect_vsock(port, std::chrono::seconds{5},
                       [this](result<stream_socket> got) { codes.put(got ? 0 : got.why().code); });
  }

  report nth(std::size_t n) { return reports.wait(n).at(n - 1); }
  int nth_code(std::size_t n) { return codes.wait(n).at(n - 1); }

  void check_nothing_left() {
    mailbox<bool> released;
    vmm->release([&] { released.put(true); });
    CAF_CHECK_EQUAL(released.wait(1).size(), 1u);
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(idle));
    vmm = nullptr;
    launcher = nullptr;
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(vsock_vm_tests, fixture)

CAF_TEST(a device ends with its VMM and before its end is told) {
  open("[ -S /proc/self/fd/$VSOCK_DEVICE ] && read line <&$CONTROL",
       device_script(std::string{"trap '' TERM\n"} + follows));
  launch();
  CAF_CHECK_EQUAL(std::string{nth(1).what}, "up");
  vmm->kill();
  auto told = reports.wait(2);
  CAF_REQUIRE_EQUAL(told.size(), 2u);
  CAF_CHECK_EQUAL(told[1].what, "exit");
  check_nothing_left();
}

CAF_TEST(a device that is lost is a fault with its reason) {
  open("read line <&$CONTROL", device_script("kill -SEGV $$"));
  launch();
  auto told = reports.wait_for([](auto& all) { return all.size() >= 2; });
  CAF_REQUIRE_EQUAL(told.size(), 2u);
  CAF_CHECK_EQUAL(told[1].what, "fault");
  CAF_CHECK_EQUAL(told[1].words, "its vsock device ended: signal 11");
  connect(7);
  CAF_CHECK_EQUAL(nth_code(1), ENOTCONN);
  vmm->kill();
  CAF_CHECK_EQUAL(std::string{nth(3).what}, "exit");
  check_nothing_left();
}

CAF_TEST(a device that does not end is killed) {
  open("exit 0", device_script("exec sleep 1000"));
  launch();
  auto told = reports.wait(2);
  CAF_REQUIRE_EQUAL(told.size(), 2u);
  CAF_CHECK_EQUAL(told[1].what, "exit");
  CAF_CHECK(told[1].exit.reason == death_reason::shutdown);
  check_nothing_left();
}

CAF_TEST(a VMM that can not be started takes its device with it) {
  open("", device_script("exec sleep 1000"), "/nowhere/qemu");
  launch();
  CAF_CHECK_EQUAL(std::string{nth(1).what}, "failed");
  check_nothing_left();
}

CAF_TEST(a device that is not there is a fault of the VM) {
  open("read line <&$CONTROL", "/nowhere/crosvisor-vsock");
  launch();
  auto told = reports.wait(2);
  CAF_REQUIRE_EQUAL(told.size(), 2u);
  CAF_CHECK_EQUAL(told[1].what, "fault");
  CAF_CHECK_EQUAL(told[1].words,
                  "its vsock device: \"/nowhere/crosvisor-vsock\" can't be executed: "
                  "No such file or directory");
  vmm->kill();
  CAF_CHECK_EQUAL(std::string{nth(3).what}, "exit");
  check_nothing_left();
}

CAF_TEST(a VM without a device has no vsock) {
  open("[ -z \"$VSOCK_DEVICE\" ] || exit 1; read line <&$CONTROL", "");
  launch();
  CAF_CHECK_EQUAL(std::string{nth(1).what}, "up");
  connect(7);
  CAF_CHECK_EQUAL(nth_code(1), ENODEV);
  vmm->kill();
  reports.wait(2);
  connect(7);
  CAF_CHECK_EQUAL(nth_code(2), ENOTCONN);
  check_nothing_left();
}

CAF_TEST(an early failure of the guest is the reason of its death) {
  open("echo 'MICRODROID_PAYLOAD_HAS_CHANGED|it was tampered with' >&$FAILURES; exit 0", "");
  launch();
  auto told = reports.wait(2).back();
  CAF_CHECK(told.exit.reason == death_reason::microdroid_payload_has_changed);
  CAF_CHECK_EQUAL(told.exit.detail, "it was tampered with");
  check_nothing_left();
}

CAF_TEST(a guest that floods its failure port costs its bound) {
  open("head -c 3000000 /dev/zero >&$FAILURES; exit 0", "");
  launch();
  auto told = reports.wait(2).back();
  CAF_CHECK(told.exit.reason == death_reason::shutdown);
  check_nothing_left();
}

CAF_TEST_FIXTURE_SCOPE_END()
