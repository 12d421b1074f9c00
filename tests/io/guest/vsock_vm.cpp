// SPDX-License-Identifier: Apache-2.0
// A VM and its vsock device, both played by scripts: how they are started together and end
// together.
#include "crosvisor/io/guest/vsock_device.hpp"

#include "crosvisor/tests/io/guest/sockets.hpp"
#include "crosvisor/tests/io/launched_vms.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.guest.vsock_vm

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

/// Ends with the VMM's connection, as the real one does.
constexpr auto follows = "exec cat <&$vmm >/dev/null";

struct fixture : launched_vms {
  std::shared_ptr<vmm_process> vmm;
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

  void open(const std::string& script, const std::string& device,
            const std::string& program = "/bin/bash") {
    launched_vms::open(script, program, device);
  }

  void launch() { vmm = launched_vms::launch(request()); }

  void connect(std::uint32_t port) {
    vmm->connect_vsock(port, std::chrono::seconds{5},
                       [this](result<stream_socket> got) { codes.put(got ? 0 : got.why().code); });
  }

  launch_report nth(std::size_t n) { return reports.wait(n).at(n - 1); }
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

CAF_TEST(a device that ends by itself while its VMM goes on is a fault) {
  open("read line <&$CONTROL", device_script("exit 0"));
  launch();
  auto told = reports.wait(2);
  CAF_REQUIRE_EQUAL(told.size(), 2u);
  CAF_CHECK_EQUAL(told[1].what, "fault");
  CAF_CHECK_EQUAL(told[1].words, "its vsock device ended: exit code 0");
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
