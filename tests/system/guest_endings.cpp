// SPDX-License-Identifier: Apache-2.0
// How real guests end, and that the reason is true each time.
#include "crosvisor/service/service.hpp"
#include "crosvisor/tests/system/guest_vm.hpp"

#include <caf/test/dsl.hpp>

#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE guest.endings

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

/// Starts a guest with `action` and waits until it says that it is ready.
struct ready_guest {
  ready_guest(guest_host& host, const std::string& action)
      : vm(host, guest_plan{action}.console(console)) {
    vm.start();
    if (!console.wait_for("ready\r\n", boot_bound))
      CAF_FAIL("the guest was not ready in time; it said: " << console.text());
  }

  output_pipe console;
  guest_vm vm;
};

/// Runs a guest with `action` to its own end.
struct whole_life {
  whole_life(guest_host& host, const std::string& action) : vm(host, guest_plan{action}) {
    vm.start();
    death = vm.await_death();
    console = host.kept_log(vm.info(), "console");
  }

  guest_vm vm;
  vm_event death;
  std::string console;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(guest_endings, guest_host)

CAF_TEST(a guest that powers off is a shutdown) {
  whole_life life{*this, "poweroff"};
  CAF_CHECK_EQUAL(summary_of(life.death), "shutdown, code 0");
  CAF_CHECK_EQUAL(life.vm.kinds(), "created starting started payload_started ready finished dead");
  CAF_CHECK(contains(life.console, "demo: poweroff"));
}

CAF_TEST(a guest that resets is a reboot) {
  whole_life life{*this, "reboot"};
  CAF_CHECK_EQUAL(summary_of(life.death), "reboot, code 0");
}

CAF_TEST(a guest whose kernel panics is a crash) {
  whole_life life{*this, "panic"};
  CAF_CHECK_EQUAL(to_string(life.death.reason), "crash");
  CAF_CHECK(contains(life.console, "Kernel panic - not syncing"));
}

CAF_TEST(a VMM that somebody kills is killed by that signal) {
  ready_guest guest{*this, "idle"};
  CAF_REQUIRE_GREATER(guest.vm.info().vmm_pid, 1);
  ::kill(guest.vm.info().vmm_pid, SIGKILL);
  auto death = guest.vm.await_death(step_bound);
  CAF_CHECK_EQUAL(summary_of(death), "killed, signal 9");
  CAF_CHECK(contains(death.detail, "signal 9"));
}

CAF_TEST(a file that is no kernel fails the start) {
  guest_vm vm{*this, guest_plan::with_kernel(scratch().write("kernel", "This is no kernel.\n"))};
  auto answer = vm.ask<vm_info>(start_atom::value);
  auto death = vm.await_death();
  CAF_CHECK_EQUAL(summary_of(death), "start_failed, code 1");
  CAF_CHECK(contains(death.detail, "kernel"));
  auto* why = std::get_if<caf::error>(&answer);
  CAF_REQUIRE(why != nullptr);
  CAF_CHECK(*why == caf::make_error(vm_errc::start_failed));
}

CAF_TEST(an idle guest heeds its power button) {
  ready_guest guest{*this, "idle"};
  auto info = guest.vm.demand<vm_info>(stop_atom::value, caf::timespan{step_bound});
  CAF_CHECK_EQUAL(to_string(info.state), "dead");
  CAF_CHECK_EQUAL(summary_of(guest.vm.await_death()), "shutdown, code 0");
  CAF_CHECK_EQUAL(guest.vm.kinds(), "created starting started payload_started ready stopping dead");
  CAF_CHECK(guest.console.wait_for("demo: power button pressed", step_bound));
}

CAF_TEST(a guest that ignores its power button is ended by the next step) {
  ready_guest guest{*this, "stubborn"};
  guest.vm.demand<vm_info>(stop_atom::value, caf::timespan{2s});
  CAF_CHECK_EQUAL(summary_of(guest.vm.await_death()), "killed, code 0");
  CAF_CHECK_EQUAL(guest.vm.kinds(),
                  "created starting started payload_started ready stopping stopping dead");
}

CAF_TEST(a stop without grace does not press the button) {
  ready_guest guest{*this, "idle"};
  guest.vm.demand<vm_info>(stop_atom::value, caf::timespan::zero());
  CAF_CHECK_EQUAL(summary_of(guest.vm.await_death()), "killed, code 0");
  CAF_CHECK(!contains(guest.console.text(), "power button"));
}

CAF_TEST(a kill ends a guest at once) {
  ready_guest guest{*this, "idle"};
  auto info = guest.vm.demand<vm_info>(kill_atom::value);
  CAF_CHECK_EQUAL(to_string(info.state), "dead");
  CAF_CHECK_EQUAL(summary_of(guest.vm.await_death()), "killed, signal 9");
}

CAF_TEST(a stop while a guest starts ends in bounded time) {
  guest_vm vm{*this, guest_plan{"idle"}};
  vm.begin_start();
  vm.await(vm_event_kind::starting);
  vm.demand<vm_info>(stop_atom::value, caf::timespan{1s});
  CAF_CHECK_EQUAL(to_string(vm.await_death().reason), "killed");
}

CAF_TEST(a drain ends every guest and answers when none is left) {
  ready_guest one{*this, "idle"};
  ready_guest other{*this, "stubborn"};
  caf::scoped_actor self{system()};
  self->request(service(), longest_stop({}, 20s) + 10s, drain_atom::value, caf::timespan{20s})
    .receive([](caf::ok_atom) { CAF_CHECK(true); },
             [](const caf::error& why) { CAF_ERROR(sentence_of(why)); });
  CAF_CHECK_EQUAL(summary_of(one.vm.await_death(1s)), "shutdown, code 0");
  CAF_CHECK_EQUAL(summary_of(other.vm.await_death(1s)), "killed, code 0");
}

CAF_TEST_FIXTURE_SCOPE_END()
