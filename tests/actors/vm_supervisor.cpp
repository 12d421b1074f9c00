// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/vm_supervisor.hpp"

#include "crosvisor/tests/actors/supervised_vm.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_tests, supervised_vm)

// -- starting ------------------------------------------------------------------

CAF_TEST(a created vm runs nothing and says so to whoever subscribes) {
  CAF_CHECK_EQUAL(story(), "created");
  CAF_CHECK(launcher->launched.empty());
  CAF_CHECK_EQUAL(to_string(info().state), "not_started");
}

CAF_TEST(start launches once and answers when the vmm is up) {
  auto started = start();
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 1u);
  CAF_CHECK_EQUAL(vmm().request.cid, 2048u);
  CAF_CHECK(started->pending());
  CAF_CHECK_EQUAL(story(), "created starting");
  CAF_CHECK_EQUAL(told->back().detail, "qemu, tcg, 1 cpu, 128 MiB");
  vmm().callbacks.on_up(4711);
  settle();
  CAF_REQUIRE(started->value);
  CAF_CHECK_EQUAL(to_string(started->value->state), "started");
  CAF_CHECK_EQUAL(started->value->vmm_pid, 4711);
  CAF_CHECK_EQUAL(story(), "created starting started");
}

CAF_TEST(what a start is made of is told with its events) {
  CAF_CHECK(told->back().steps.empty()); // The registry says what came before.
  start();
  CAF_CHECK(told->back().steps.empty());
  vmm().callbacks.on_step({"spawn", 1, 2});
  vmm().callbacks.on_step({"vmm", 2, 5});
  vmm().callbacks.on_up(4711);
  settle();
  const auto& started = told->back();
  CAF_REQUIRE_EQUAL(started.steps.size(), 2u);
  CAF_CHECK_EQUAL(started.steps[0].name, "spawn");
  CAF_CHECK_EQUAL(started.steps[1].name, "vmm");
  CAF_CHECK_EQUAL(started.steps[1].end_us - started.steps[1].begin_us, 3);
  CAF_CHECK_EQUAL(started.time_us / 1000, started.time_ms);
  stop();
  exit_with(death_reason::shutdown);
  CAF_CHECK(told->back().steps.empty());
}

CAF_TEST(a start that fails tells its steps with the death) {
  start();
  for (std::size_t i = 0; i < 2 * io::max_launch_steps; ++i)
    vmm().callbacks.on_step({"prepare", 1, 2});
  vmm().callbacks.on_launch_failed(io::launch_failure::host, "no");
  settle();
  CAF_CHECK_EQUAL(to_string(told->back().kind), "dead");
  CAF_CHECK_EQUAL(told->back().steps.size(), io::max_launch_steps);
}

CAF_TEST(a second start is refused in every state) {
  start();
  CAF_CHECK_EQUAL(start()->why(), vm_errc::wrong_state);
  vmm().callbacks.on_up(1);
  settle();
  CAF_CHECK_EQUAL(start()->why(), vm_errc::wrong_state);
  stop();
  CAF_CHECK_EQUAL(sentence_of(start()->why()),
                  "can't start VM 2048: it is started and being stopped");
  exit_with(death_reason::shutdown);
  CAF_CHECK_EQUAL(sentence_of(start()->why()), "can't start VM 2048: it is dead");
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
}

CAF_TEST(a launch that fails is a death with the reason of the launcher) {
  for (auto [failure, code] : {std::pair{io::launch_failure::bad_files, vm_errc::invalid_config},
                               std::pair{io::launch_failure::host, vm_errc::io_failed},
                               std::pair{io::launch_failure::no_vmm, vm_errc::vmm_unavailable}}) {
    supervised_vm fresh;
    auto started = fresh.start();
    fresh.vmm().callbacks.on_launch_failed(failure, "kernel \"vmlinux\": is a directory");
    fresh.settle();
    CAF_CHECK_EQUAL(started->why(), code);
    CAF_CHECK_EQUAL(sentence_of(started->why()), "kernel \"vmlinux\": is a directory");
    CAF_CHECK_EQUAL(fresh.story(), "created starting dead");
    CAF_CHECK_EQUAL(to_string(fresh.told->back().reason), "start_failed");
    CAF_CHECK(fresh.told->back().exit.kind == exit_kind::none);
  }
}

CAF_TEST(a vmm that ends before it is up has failed to start) {
  auto started = start();
  exit_with(death_reason::start_failed, exit_kind::code, 1);
  CAF_CHECK_EQUAL(started->why(), vm_errc::start_failed);
  CAF_CHECK_EQUAL(story(), "created starting dead");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "start_failed");
  CAF_CHECK_EQUAL(told->back().exit.value, 1);
}

CAF_TEST(a vmm that never answers is killed in time) {
  auto started = start();
  pass(timeouts.start - 1s);
  CAF_CHECK_EQUAL(vmm().killed, 0);
  pass(1s);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  CAF_CHECK(started->pending());
  exit_with(death_reason::killed, exit_kind::signal, 9);
  CAF_CHECK_EQUAL(started->why(), vm_errc::start_failed);
  CAF_CHECK_EQUAL(to_string(told->back().reason), "start_failed");
}

CAF_TEST(a vmm that speaks nonsense while it starts is killed) {
  auto started = start();
  vmm().callbacks.on_fault("the VMM speaks no QMP");
  settle();
  CAF_CHECK_EQUAL(vmm().killed, 1);
  exit_with(death_reason::killed, exit_kind::signal, 9);
  CAF_CHECK_EQUAL(sentence_of(started->why()), "the VMM speaks no QMP");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "start_failed");
}

CAF_TEST(the start timer counts no more once the vm runs) {
  start_and_run();
  pass(timeouts.start + 1s);
  CAF_CHECK_EQUAL(vmm().killed, 0);
  CAF_CHECK_EQUAL(to_string(info().state), "started");
}

// -- stopping ------------------------------------------------------------------

CAF_TEST(a vm that was never started is stopped at once) {
  auto stopped = stop();
  CAF_REQUIRE(stopped->value);
  CAF_CHECK_EQUAL(story(), "created dead");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "killed");
  CAF_CHECK_EQUAL(told->back().detail, "stopped before it was started");
}

CAF_TEST(a guest that heeds the button shuts down) {
  start_and_run();
  auto stopped = stop();
  CAF_REQUIRE_EQUAL(vmm().requests.size(), 1u);
  CAF_CHECK(vmm().requests[0].what == io::vmm_request::power_button);
  answer({});
  CAF_CHECK(stopped->pending());
  exit_with(death_reason::shutdown);
  CAF_REQUIRE(stopped->value);
  CAF_CHECK_EQUAL(to_string(stopped->value->reason), "shutdown");
  CAF_CHECK_EQUAL(vmm().terminated + vmm().killed, 0);
}

CAF_TEST(the ladder goes down all its rungs and ends) {
  start_and_run();
  auto stopped = stop(10s);
  answer({});
  pass(10s);
  CAF_CHECK(vmm().requests.back().what == io::vmm_request::quit);
  answer({});
  pass(timeouts.quit);
  CAF_CHECK_EQUAL(vmm().terminated, 1);
  pass(timeouts.terminate);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  CAF_CHECK(stopped->pending());
  exit_with(death_reason::killed, exit_kind::signal, 9);
  CAF_REQUIRE(stopped->value);
  CAF_CHECK_EQUAL(to_string(stopped->value->reason), "killed");
  CAF_CHECK_EQUAL(stopped->value->exit.value, 9);
  CAF_CHECK_EQUAL(story(), "created starting started stopping stopping stopping stopping dead");
}

CAF_TEST(a process that survives sigkill is given up) {
  start_and_run();
  auto killed = ask<vm_info>(vm, kill_atom::value);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  pass(timeouts.kill);
  CAF_REQUIRE(killed->value);
  CAF_CHECK_EQUAL(to_string(killed->value->reason), "infrastructure_error");
  CAF_CHECK(killed->value->exit.kind == exit_kind::vanished);
  // Should it die after all, nothing is told twice.
  exit_with(death_reason::killed, exit_kind::signal, 9);
  CAF_CHECK_EQUAL(story(), "created starting started stopping dead");
}

CAF_TEST(a rung that is refused is left at once) {
  start_and_run();
  stop();
  answer(io::failure{0, "this crosvm has no power button"});
  CAF_REQUIRE_EQUAL(vmm().requests.size(), 2u);
  CAF_CHECK(vmm().requests[1].what == io::vmm_request::quit);
  answer(io::failure{0, "no"});
  CAF_CHECK_EQUAL(vmm().terminated, 1);
}

CAF_TEST(a refusal that comes after its rung was left changes nothing) {
  start_and_run();
  stop(10s);
  pass(10s);
  CAF_CHECK(vmm().requests.back().what == io::vmm_request::quit);
  auto late = vmm().requests[0];
  late.done(io::failure{ETIMEDOUT, "timed out"});
  settle();
  CAF_CHECK_EQUAL(vmm().terminated, 0);
}

CAF_TEST(without grace the guest is not asked) {
  start_and_run();
  stop(0s);
  CAF_REQUIRE_EQUAL(vmm().requests.size(), 1u);
  CAF_CHECK(vmm().requests[0].what == io::vmm_request::quit);
}

CAF_TEST(the button is pressed again for a guest that was still booting) {
  start_and_run();
  stop(10s);
  CAF_CHECK_EQUAL(vmm().requests.size(), 1u);
  pass(timeouts.press_again);
  CAF_REQUIRE_EQUAL(vmm().requests.size(), 2u);
  CAF_CHECK(vmm().requests[1].what == io::vmm_request::power_button);
  exit_with(death_reason::shutdown);
  pass(timeouts.press_again);
  CAF_CHECK_EQUAL(vmm().requests.size(), 2u);
}

CAF_TEST(a stop while the vmm starts begins with sigterm) {
  auto started = start();
  auto stopped = stop();
  CAF_CHECK_EQUAL(vmm().terminated, 1);
  CAF_CHECK(vmm().requests.empty());
  // It may come up all the same.
  vmm().callbacks.on_up(4711);
  settle();
  CAF_CHECK_EQUAL(story(), "created starting stopping");
  exit_with(death_reason::start_failed, exit_kind::signal, 15);
  CAF_CHECK_EQUAL(to_string(stopped->value->reason), "killed");
  CAF_CHECK_EQUAL(started->why(), vm_errc::start_failed);
}

CAF_TEST(a stop before the process exists ends with the launch) {
  start();
  auto stopped = stop();
  vmm().callbacks.on_launch_failed(io::launch_failure::host, "ended before it was executed");
  settle();
  CAF_CHECK_EQUAL(to_string(stopped->value->reason), "killed");
}

CAF_TEST(a kill during a stop skips the rest of the ladder) {
  start_and_run();
  auto stopped = stop();
  auto killed = ask<vm_info>(vm, kill_atom::value);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  CAF_CHECK_EQUAL(vmm().terminated, 0);
  exit_with(death_reason::killed, exit_kind::signal, 9);
  CAF_CHECK(stopped->value);
  CAF_CHECK(killed->value);
}

CAF_TEST(stops join and all are answered) {
  start_and_run();
  auto first = stop();
  auto second = stop();
  CAF_CHECK_EQUAL(vmm().requests.size(), 1u);
  exit_with(death_reason::shutdown);
  CAF_CHECK(first->value);
  CAF_CHECK(second->value);
  CAF_CHECK(stop()->value);
}

CAF_TEST(a suspended guest is resumed to see the button) {
  start_and_run();
  ask<vm_info>(vm, suspend_atom::value);
  answer({});
  stop();
  CAF_REQUIRE_EQUAL(vmm().requests.size(), 3u);
  CAF_CHECK(vmm().requests[1].what == io::vmm_request::resume);
  CAF_CHECK(vmm().requests[2].what == io::vmm_request::power_button);
  CAF_CHECK(!info().suspended);
}

// -- death ---------------------------------------------------------------------

CAF_TEST(each end is told once with its reason) {
  for (auto reason : {death_reason::shutdown, death_reason::reboot, death_reason::crash,
                      death_reason::killed, death_reason::watchdog_reboot}) {
    supervised_vm fresh;
    fresh.start_and_run();
    fresh.exit_with(reason);
    CAF_CHECK_EQUAL(fresh.story(), "created starting started dead");
    CAF_CHECK_EQUAL(to_string(fresh.told->back().reason), to_string(reason));
    CAF_CHECK_EQUAL(to_string(fresh.info().reason), to_string(reason));
    CAF_CHECK_EQUAL(fresh.info().vmm_pid, 0);
  }
}

CAF_TEST(a guest that cannot go on is killed and has crashed) {
  start_and_run();
  vmm().callbacks.on_fault("KVM internal error");
  settle();
  CAF_CHECK_EQUAL(vmm().killed, 1);
  exit_with(death_reason::killed, exit_kind::signal, 9);
  CAF_CHECK_EQUAL(to_string(told->back().reason), "crash");
  CAF_CHECK_EQUAL(told->back().detail, "KVM internal error");
}

CAF_TEST(a dead vm is released and then forgotten) {
  start_and_run();
  exit_with(death_reason::shutdown);
  CAF_REQUIRE(vmm().release_done);
  vmm().release_done();
  settle();
  CAF_CHECK(alive());
  pass(timeouts.forget);
  CAF_CHECK(!alive());
}

CAF_TEST(a dead vm is forgotten even if its release hangs) {
  start_and_run();
  exit_with(death_reason::shutdown);
  pass(timeouts.forget);
  CAF_CHECK(!alive());
}

CAF_TEST(a drained vm ends as soon as it is released) {
  start_and_run();
  caf::anon_send(supervisor, drain_atom::value, caf::timespan{10s});
  settle();
  exit_with(death_reason::shutdown);
  CAF_CHECK(alive());
  vmm().release_done();
  settle();
  CAF_CHECK(!alive());
}

CAF_TEST(a drain finds the dead too) {
  start_and_run();
  exit_with(death_reason::shutdown);
  vmm().release_done();
  settle();
  caf::anon_send(supervisor, drain_atom::value, caf::timespan{10s});
  settle();
  CAF_CHECK(!alive());
}

// -- subscribers ---------------------------------------------------------------

CAF_TEST(a late subscriber is told the present state first) {
  start_and_run();
  auto late = listen(vm);
  CAF_REQUIRE_EQUAL(late->size(), 1u);
  CAF_CHECK_EQUAL(to_string(late->front().kind), "started");
  CAF_CHECK_EQUAL(late->front().seq, told->back().seq);
}

CAF_TEST(a subscriber after death is told the reason) {
  start_and_run();
  exit_with(death_reason::reboot);
  auto late = listen(vm);
  CAF_REQUIRE_EQUAL(late->size(), 1u);
  CAF_CHECK_EQUAL(to_string(late->front().kind), "dead");
  CAF_CHECK_EQUAL(to_string(late->front().reason), "reboot");
}

CAF_TEST(events are numbered without a gap) {
  start_and_run();
  stop();
  exit_with(death_reason::shutdown);
  for (std::size_t i = 0; i < told->size(); ++i)
    CAF_CHECK_EQUAL((*told)[i].seq, i + 1);
}

CAF_TEST(a subscriber that dies is forgotten and the others are told) {
  auto other = listen(vm);
  caf::anon_send_exit(listeners.front(), caf::exit_reason::kill);
  settle();
  start_and_run();
  CAF_CHECK_EQUAL(told->size(), 1u);
  CAF_CHECK_EQUAL(other->size(), 3u);
}

CAF_TEST_FIXTURE_SCOPE_END()
