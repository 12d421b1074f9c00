// SPDX-License-Identifier: Apache-2.0
// VMs that are started again when they died.
#include "crosvisor/tests/actors/restarted_vm.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor_restart

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;
using actors::ending_note;
using actors::plan_note;
using actors::restarts_note;

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_restart_tests, restarted_vm)

CAF_TEST(a vm that crashed is started again after a while) {
  run();
  die();
  CAF_CHECK_EQUAL(story(), "created starting started restarting");
  CAF_CHECK_EQUAL(to_string(told->back().state), "not_started");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "crash");
  CAF_CHECK_EQUAL(told->back().exit.value, 1);
  CAF_CHECK_EQUAL(told->back().detail, "starts again in 1 s");
  CAF_CHECK_EQUAL(to_string(info().state), "not_started");
  CAF_CHECK_EQUAL(info().restarts, 1u);
  CAF_CHECK(vmm().aside_done == nullptr);
  pass(1s);
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
  go();
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 2u);
  CAF_CHECK_EQUAL(vmm().request.cid, 2048u);
  up();
  CAF_CHECK_EQUAL(story(), "created starting started restarting starting started");
  CAF_CHECK_EQUAL(to_string(info().reason), "unknown");
  for (std::size_t i = 0; i < told->size(); ++i)
    CAF_CHECK_EQUAL((*told)[i].seq, i + 1);
}

CAF_TEST(late subscribers of a waiting vm are sent the restarting event) {
  run();
  die();
  auto late = listen(vm);
  CAF_REQUIRE_EQUAL(late->size(), 1u);
  CAF_CHECK_EQUAL(to_string(late->back().kind), "restarting");
}

CAF_TEST(without a policy a crash is a death) {
  config.restart = restart_policy::never;
  run();
  CAF_CHECK(vmm().request.origin == nullptr);
  CAF_CHECK(!vmm().request.notes.contains(plan_note));
  die();
  CAF_CHECK_EQUAL(story(), "created starting started dead");
}

CAF_TEST(on failure a shutdown is a death) {
  run();
  die(death_reason::shutdown);
  CAF_CHECK_EQUAL(story(), "created starting started dead");
}

CAF_TEST(on failure a payload that fails is started again and one that is done is not ) {
  run();
  say(payload_status_kind::finished, 3);
  die(death_reason::shutdown);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
  CAF_CHECK_EQUAL(told->back().payload.exit_code, 3);
  pass(1s);
  go();
  up();
  CAF_CHECK(!info().payload.finished);
  say(payload_status_kind::finished, 0);
  die(death_reason::shutdown);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "dead");
}

CAF_TEST(always starts again after a shutdown) {
  config.restart = restart_policy::always;
  run();
  die(death_reason::shutdown);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
}

CAF_TEST(a stop by a person is for good) {
  config.restart = restart_policy::always;
  run();
  auto stopped = stop();
  die(death_reason::shutdown);
  CAF_CHECK_EQUAL(to_string(stopped->get().state), "dead");
  CAF_CHECK_EQUAL(story(), "created starting started stopping dead");
}

CAF_TEST(a stop that comes while the last words are read is for good) {
  streams->finish_at_once = false;
  run();
  die();
  auto stopped = stop();
  guest().finish_done();
  settle();
  CAF_CHECK_EQUAL(to_string(stopped->get().reason), "crash");
}

CAF_TEST(a stop during the wait is for good) {
  run();
  die();
  auto stopped = stop();
  CAF_CHECK_EQUAL(to_string(stopped->get().reason), "killed");
  CAF_CHECK_EQUAL(stopped->get().exit.detail, "stopped before it was started again");
  CAF_CHECK_EQUAL(vmm().notes.at(ending_note), "stop 10000");
  CAF_CHECK_EQUAL(story(), "created starting started restarting dead");
  CAF_CHECK(vmm().release_done != nullptr);
  pass(10s);
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
}

CAF_TEST(a kill while the last life goes is for good) {
  run();
  die();
  pass(1s);
  auto killed = ask<vm_info>(vm, kill_atom::value);
  CAF_CHECK_EQUAL(to_string(killed->get().state), "dead");
  go();
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
}

CAF_TEST(a start during the wait does not wait) {
  run();
  die();
  auto started = start();
  go();
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 2u);
  CAF_CHECK(started->pending());
  up();
  CAF_CHECK_EQUAL(to_string(started->get().state), "started");
  pass(1s);
  CAF_CHECK_EQUAL(launcher->launched.size(), 2u);
}

CAF_TEST(a waiting vm can not be suspended and says why) {
  run();
  die();
  CAF_CHECK_EQUAL(sentence_of(ask<vm_info>(vm, suspend_atom::value)->why()),
                  "can't suspend VM 2048: it is not_started and waits to be started again");
}

CAF_TEST(the waits double and a stable life begins them anew) {
  run();
  for (auto wait : {1s, 2s, 4s}) {
    die_and_revive(wait);
    up();
  }
  CAF_CHECK_EQUAL(launcher->launched.size(), 4u);
  die();
  pass(7s);
  go();
  CAF_CHECK_EQUAL(launcher->launched.size(), 4u);
  pass(1s);
  go();
  up();
  pass(10min);
  die();
  CAF_CHECK_EQUAL(told->back().detail, "starts again in 1 s");
}

CAF_TEST(a vm that dies too often is given up) {
  timeouts.max_restarts = 2;
  run();
  die_and_revive(1s);
  up();
  die_and_revive(2s);
  up();
  told->clear();
  die();
  CAF_CHECK_EQUAL(story(), "given_up dead");
  CAF_CHECK_EQUAL(told->front().detail,
                  "it was started again 2 times within 3600 s, as often as it may (restarts.most)");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "crash");
  CAF_CHECK_EQUAL(info().restarts, 2u);
}

CAF_TEST(a first start that fails is a death) {
  config.restart = restart_policy::always;
  create();
  auto started = start();
  vmm().callbacks.on_launch_failed(io::launch_failure::bad_files, "kernel: is a directory");
  settle();
  CAF_CHECK_EQUAL(started->why(), vm_errc::invalid_config);
  CAF_CHECK_EQUAL(story(), "created starting dead");
}

CAF_TEST(a later start that fails is one more restart) {
  run();
  die_and_revive(1s);
  vmm().callbacks.on_launch_failed(io::launch_failure::host, "no processes");
  settle();
  CAF_CHECK_EQUAL(told->back().detail, "starts again in 2 s");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "start_failed");
  CAF_CHECK_EQUAL(told->back().exit.detail, "no processes");
  pass(2s);
  go();
  CAF_CHECK_EQUAL(launcher->launched.size(), 3u);
}

CAF_TEST(a later vmm that never answers is killed and tried again) {
  run();
  die_and_revive(1s);
  pass(timeouts.start);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  vmm().callbacks.on_exit({exit_kind::signal, 9, death_reason::killed, ""});
  settle();
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "start_failed");
}

CAF_TEST(a vmm that does not die is not started again) {
  run();
  vmm().callbacks.on_fault("internal error");
  settle();
  pass(timeouts.kill);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "dead");
}

CAF_TEST(a guest that hung is started again and watched anew) {
  config.guest_protocol = true;
  run();
  pass(timeouts.hangup_slow - 1s);
  die_and_revive(1s);
  up();
  pass(1s);
  CAF_CHECK_EQUAL(vmm().killed, 0);
  pass(timeouts.hangup_slow - 1s);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  die(death_reason::killed);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "hangup");
}

CAF_TEST(a suspended vm that dies begins its next life awake) {
  run();
  ask<vm_info>(vm, suspend_atom::value);
  vmm().requests.back().done({});
  settle();
  die_and_revive(1s);
  up();
  CAF_CHECK(!info().suspended);
}

CAF_TEST_FIXTURE_SCOPE_END()
