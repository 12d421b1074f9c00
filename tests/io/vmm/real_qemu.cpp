// SPDX-License-Identifier: Apache-2.0
// The QEMU driver with QEMU itself, where it is installed; its guest is a firmware of a few bytes.
#include "crosvisor/tests/io/vmm/nth.hpp"
#include "crosvisor/tests/io/vmm/started_vm.hpp"

#include <caf/test/dsl.hpp>

#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.real_qemu

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr auto program = "/usr/bin/qemu-system-x86_64";

// 64 KiB that end at the reset vector, 16 bytes before their end, with that code there: 16 bits,
// real mode.
std::string firmware(const std::string& code) {
  std::string rom(64u << 10, '\xf4'); // hlt
  return rom.replace(rom.size() - 16, code.size(), code);
}

// mov dx, PORT; mov al, VALUE; out dx, al
std::string out(std::uint16_t port, char value) {
  return {'\xba', static_cast<char>(port & 0xff), static_cast<char>(port >> 8), '\xb0', value,
          '\xee'};
}

const std::string stand_still = "\xf4\xeb\xfd"; // hlt; jmp to the hlt

struct fixture {
  holdings before;
  std::optional<started_vm> vm{std::in_place};

  ~fixture() {
    vm.reset();
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }

  void start(const std::string& code) {
    vm->vm.bootloader = vm->file("firmware", firmware(code));
    run();
  }

  void run() {
    if (::access(program, X_OK) != 0)
      CAF_FAIL("there is no " << program << "; `./dev setup run` installs it");
    auto driver = make_qemu_driver({vmm_kind::qemu, program, "", {true, {}}, {"tcg"}});
    CAF_REQUIRE(driver->check(vm->vm));
    auto started = vm->start(*driver);
    CAF_REQUIRE(started);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(real_qemu_tests, fixture)

CAF_TEST(a guest that resets is a reboot and its console is heard) {
  start(out(0x3f8, 'A') + out(0xcf9, 6));
  CAF_CHECK_EQUAL(vm->end(), "reboot, exit code 0");
  CAF_CHECK_EQUAL(vm->console(), "A");
  CAF_CHECK_EQUAL(vm->messages(), "");
}

CAF_TEST(a running guest is asked everything) {
  auto disk = std::string(1u << 20, '\0');
  vm->vm.disks = {{vm->file("ro", disk), false, image_format::raw, false},
                  {vm->file("rw", disk, true), false, image_format::raw, true}};
  start(stand_still);
  CAF_CHECK_EQUAL(nth(vm->events, 0), "up");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::suspend), "");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::resume), "");
  CAF_CHECK_EQUAL(vm->get_balloon(), "0 of 134217728");
  CAF_CHECK_EQUAL(vm->set_balloon(1 << 20), "");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::power_button), "");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::quit), "");
  CAF_CHECK_EQUAL(vm->end(), "killed, exit code 0");
  CAF_CHECK_EQUAL(count(vm->events), 1u);
  CAF_CHECK_EQUAL(vm->messages(), "");
}

CAF_TEST(a composite disk is served and its server ends with QEMU) {
  auto& disk = vm->composite_disk();
  CAF_REQUIRE(vm->serve(disk, NBDKIT_PLUGIN));
  start(stand_still);
  CAF_CHECK_EQUAL(nth(vm->events, 0), "up");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::quit), "");
  CAF_CHECK_EQUAL(vm->end(), "killed, exit code 0");
  auto ended = vm->server_exits.wait(1);
  CAF_REQUIRE_EQUAL(ended.size(), 1u);
  CAF_CHECK(ended[0].kind == exit_kind::code);
  CAF_CHECK_EQUAL(ended[0].value, 0);
  CAF_CHECK_EQUAL(vm->messages(), "");
}

CAF_TEST(a disk without its server is a failed start) {
  auto& disk = vm->composite_disk();
  CAF_REQUIRE(vm->serve(disk, "/nowhere/plugin.so"));
  start(stand_still);
  CAF_CHECK_EQUAL(vm->end(), "start_failed, exit code 1");
}

CAF_TEST(a kernel that is none is a failed start) {
  vm->vm.kernel = vm->file("kernel", std::string(8192, 'x'));
  run();
  CAF_CHECK_EQUAL(vm->end(), "start_failed, exit code 1");
  CAF_CHECK_EQUAL(count(vm->events), 0u);
}

CAF_TEST(an image that another VM writes is a failed start) {
  auto path = vm->temp.write("disk", std::string(1u << 20, '\0'));
  started_vm second;
  for (auto* each : {&*vm, &second})
    each->vm.disks = {{each->open(path, true), false, image_format::raw, true}};
  start(stand_still);
  CAF_CHECK_EQUAL(nth(vm->events, 0), "up");
  second.vm.bootloader = second.file("firmware", firmware(stand_still));
  auto driver = make_qemu_driver({vmm_kind::qemu, program, "", {true, {}}, {"tcg"}});
  CAF_REQUIRE(second.start(*driver));
  CAF_CHECK_EQUAL(second.end(), "start_failed, exit code 1");
  CAF_CHECK(second.messages().find("lock") != std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()
