// SPDX-License-Identifier: Apache-2.0
// Between the end of a VMM's process and the death of its VM.
#include "crosvisor/tests/actors/supervised_vm.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor_finish

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

/// Streams that are done when the test says so.
struct fixture : supervised_vm {
  fixture() { guest().finish_at_once = false; }

  void done() {
    guest().finish_done();
    settle();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_finish_tests, fixture)

CAF_TEST(death waits for the streams and loses no last word) {
  start_and_run();
  exit_with(death_reason::shutdown);
  CAF_CHECK_EQUAL(guest().finishes, 1);
  CAF_CHECK_EQUAL(story(), "created starting started");
  CAF_CHECK_EQUAL(info().vmm_pid, 0);
  say(payload_status_kind::finished, 3);
  CAF_CHECK_EQUAL(story(), "created starting started payload_started finished");
  done();
  CAF_CHECK_EQUAL(story(), "created starting started payload_started finished dead");
  CAF_CHECK_EQUAL(told->back().payload.exit_code, 3);
  CAF_CHECK_EQUAL(to_string(told->back().reason), "shutdown");
}

CAF_TEST(streams that are never done are waited for within a bound) {
  start_and_run();
  exit_with(death_reason::crash);
  pass(timeouts.finish - 1s);
  CAF_CHECK_EQUAL(story(), "created starting started");
  pass(1s);
  CAF_CHECK_EQUAL(story(), "created starting started dead");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "crash");
  done();
  CAF_CHECK_EQUAL(story(), "created starting started dead");
  CAF_CHECK_EQUAL(guest().finishes, 1);
}

CAF_TEST(an exit while starting waits too and start is answered after it) {
  auto started = start();
  exit_with(death_reason::start_failed, exit_kind::code, 1);
  CAF_CHECK(started->pending());
  done();
  CAF_CHECK_EQUAL(started->why(), vm_errc::start_failed);
  CAF_CHECK_EQUAL(story(), "created starting dead");
}

CAF_TEST(a launch that fails has nothing to wait for) {
  start();
  vmm().callbacks.on_launch_failed(io::launch_failure::host, "no memory");
  settle();
  CAF_CHECK_EQUAL(story(), "created starting dead");
  CAF_CHECK_EQUAL(guest().finishes, 1);
}

CAF_TEST(nor has a vm that was never started) {
  CAF_CHECK(stop()->value);
  CAF_CHECK_EQUAL(guest().finishes, 1);
}

CAF_TEST(nor has one whose process does not die) {
  start_and_run();
  auto killed = ask<vm_info>(vm, kill_atom::value);
  pass(timeouts.kill);
  CAF_CHECK(killed->value);
  CAF_CHECK_EQUAL(guest().finishes, 1);
}

CAF_TEST(a kill and a stop in between join and explain nothing) {
  start_and_run();
  exit_with(death_reason::unknown, exit_kind::code, 77);
  auto killed = ask<vm_info>(vm, kill_atom::value);
  auto stopped = stop();
  vmm().callbacks.on_fault("late");
  settle();
  CAF_CHECK_EQUAL(vmm().killed + vmm().terminated, 0);
  CAF_CHECK(killed->pending());
  done();
  CAF_CHECK_EQUAL(to_string(killed->get().reason), "unknown");
  CAF_CHECK(stopped->value);
}

CAF_TEST(other requests in between are refused) {
  start_and_run();
  exit_with(death_reason::shutdown);
  CAF_CHECK_EQUAL(start()->why(), vm_errc::wrong_state);
  auto suspended = ask<vm_info>(vm, suspend_atom::value);
  CAF_CHECK_EQUAL(sentence_of(suspended->why()),
                  "can't suspend VM 2048: it is started and has ended");
}

CAF_TEST(a drain in between waits and then ends the supervisor) {
  start_and_run();
  exit_with(death_reason::shutdown);
  caf::anon_send(supervisor, drain_atom::value, caf::timespan{10s});
  settle();
  CAF_CHECK(alive());
  done();
  vmm().release_done();
  settle();
  CAF_CHECK(!alive());
  CAF_CHECK_EQUAL(story(), "created starting started dead");
}

CAF_TEST(every rung of a stop waits for the streams) {
  start_and_run();
  auto stopped = stop(10s);
  pass(10s);
  pass(timeouts.quit);
  pass(timeouts.terminate);
  exit_with(death_reason::killed, exit_kind::signal, 9);
  CAF_CHECK(stopped->pending());
  done();
  CAF_CHECK_EQUAL(to_string(stopped->get().reason), "killed");
}

CAF_TEST_FIXTURE_SCOPE_END()
