// SPDX-License-Identifier: Apache-2.0
// The QEMU driver with its stand-in: every end, and every way of not playing along.
#include "crosvisor/tests/io/vmm/nth.hpp"
#include "crosvisor/tests/io/vmm/started_vm.hpp"

#include <caf/test/dsl.hpp>

#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.stand_in_qemu

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture {
  holdings before;
  std::optional<started_vm> vm{std::in_place};
  control_timeouts timeouts{3s, 200ms};

  ~fixture() {
    vm.reset();
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }

  bool start(const std::string& play) {
    auto driver =
      make_qemu_driver({vmm_kind::qemu, STAND_IN_QEMU, "", {true, {}}, {"tcg"}}, timeouts);
    vm->vm.kernel = vm->file("kernel", "kernel");
    vm->vm.params = play;
    return vm->start(*driver);
  }

  void check_end(const std::string& play, const std::string& wanted) {
    vm.emplace();
    CAF_REQUIRE(start(play));
    CAF_CHECK_EQUAL(vm->end(), wanted);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(stand_in_qemu_tests, fixture)

CAF_TEST(what a guest does is read from its events) {
  check_end("play=off", "shutdown, exit code 0");
  check_end("play=reset", "reboot, exit code 0");
  check_end("play=panic", "crash, exit code 0");
}

CAF_TEST(an end before it is up is a failed start or a signal) {
  check_end("play=exit:1", "start_failed, exit code 1");
  check_end("play=exit:0", "start_failed, exit code 0");
  check_end("play=signal:6", "crash, signal 6");
  check_end("play=signal:9", "killed, signal 9");
}

CAF_TEST(a composite disk has a server that speaks) {
  CAF_REQUIRE(vm->serve(vm->composite_disk(), NBDKIT_PLUGIN));
  CAF_REQUIRE(start("play=off"));
  CAF_CHECK_EQUAL(vm->end(), "shutdown, exit code 0");
  vm.emplace();
  CAF_REQUIRE(vm->serve(vm->composite_disk(), "/nowhere/plugin.so"));
  CAF_REQUIRE(start("play=off"));
  CAF_CHECK_EQUAL(vm->end(), "start_failed, exit code 1");
  CAF_CHECK(vm->messages().find("no disk server") != std::string::npos);
}

CAF_TEST(the whole of a VM that behaves) {
  CAF_REQUIRE(start("play=console:hello play=log:noted"));
  CAF_CHECK_EQUAL(nth(vm->events, 0), "up");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::suspend), "");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::resume), "");
  CAF_CHECK_EQUAL(vm->get_balloon(), "0 of 134217728");
  CAF_CHECK_EQUAL(vm->set_balloon(1 << 20), "");
  CAF_CHECK_EQUAL(vm->get_balloon(), "1048576 of 134217728");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::power_button), "");
  CAF_CHECK_EQUAL(vm->end(), "shutdown, exit code 0");
  CAF_CHECK_EQUAL(count(vm->events), 1u);
  CAF_CHECK_EQUAL(vm->console(), "hello\n");
  CAF_CHECK_EQUAL(vm->log(), "noted\n");
}

CAF_TEST(each step of stopping it ends as killed) {
  CAF_REQUIRE(start("play=ignore-power"));
  CAF_CHECK_EQUAL(vm->ask(vmm_request::power_button), "");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::quit), "");
  CAF_CHECK_EQUAL(vm->end(), "killed, exit code 0");
  vm.emplace();
  CAF_REQUIRE(start("play=refuse-quit"));
  CAF_CHECK_EQUAL(vm->ask(vmm_request::quit), "QEMU: not now");
  vm->child->signal(SIGTERM);
  CAF_CHECK_EQUAL(vm->end(), "killed, exit code 0");
  vm.emplace();
  timeouts.answer = 100ms;
  CAF_REQUIRE(start("play=mute play=hang"));
  CAF_CHECK_EQUAL(nth(vm->events, 0), "up");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::quit), "timed out: QEMU did not answer within 100 ms");
  vm->child->signal(SIGTERM);
  vm->child->signal(SIGKILL);
  CAF_CHECK_EQUAL(vm->end(), "killed, signal 9");
}

CAF_TEST(a channel that never opens tells nothing and its requests end) {
  timeouts.answer = 100ms;
  CAF_REQUIRE(start("play=never"));
  CAF_CHECK_EQUAL(vm->ask(vmm_request::power_button),
                  "timed out: QEMU did not answer within 100 ms");
  CAF_CHECK_EQUAL(count(vm->events), 0u);
}

CAF_TEST(garbage is a fault and the VMM is still there to be ended) {
  CAF_REQUIRE(start("play=garbage"));
  CAF_CHECK_EQUAL(nth(vm->events, 0),
                  "fault: the VMM speaks no QMP: \"SSH-2.0-OpenSSH_9.2\\x1b[2J\"");
  vm->child->signal(SIGKILL);
  CAF_CHECK_EQUAL(vm->end(), "killed, signal 9");
}

CAF_TEST(a guest that can not go on is a fault) {
  CAF_REQUIRE(start("play=internal-error"));
  CAF_CHECK_EQUAL(nth(vm->events, 0), "up");
  CAF_CHECK(nth(vm->events, 1).find("(internal-error)") != std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()
