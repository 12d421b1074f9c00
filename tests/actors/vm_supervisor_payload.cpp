// SPDX-License-Identifier: Apache-2.0
// What a guest says of its payload, its silence, and its last words.
#include "crosvisor/tests/actors/supervised_vm.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor_payload

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;
using enum payload_status_kind;

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_payload_tests, supervised_vm)

// -- connections ---------------------------------------------------------------

CAF_TEST(connections go to the streams by their port) {
  start_and_run();
  connect(payload_output_port);
  connect(payload_status_port);
  CAF_CHECK_EQUAL(guest().outputs.size(), 1u);
  CAF_CHECK_EQUAL(guest().statuses.size(), 1u);
  CAF_CHECK(connect(4000).expired());
  CAF_CHECK_EQUAL(guest().outputs.size() + guest().statuses.size(), 2u);
}

CAF_TEST(connections of a vm that does not run are closed) {
  CAF_CHECK(connect(payload_output_port).expired());
  start_and_run();
  exit_with(death_reason::shutdown);
  CAF_CHECK(connect(payload_output_port).expired());
  CAF_CHECK(connect(payload_status_port).expired());
  CAF_CHECK(guest().outputs.empty());
}

CAF_TEST(connections without streams are closed) {
  supervised_vm bare{small_vm("demo"), {}, false, false};
  bare.start_and_run();
  CAF_CHECK(bare.connect(payload_output_port).expired());
  bare.exit_with(death_reason::shutdown);
  CAF_CHECK_EQUAL(bare.story(), "created starting started dead");
}

CAF_TEST(the first output connection is the start of the payload) {
  start_and_run();
  connect(payload_output_port);
  connect(payload_output_port);
  say(started);
  CAF_CHECK_EQUAL(story(), "created starting started payload_started");
  CAF_CHECK(info().payload.started);
  CAF_CHECK_EQUAL(to_string(info().state), "started");
}

// -- status --------------------------------------------------------------------

CAF_TEST(the state moves with the payload) {
  start_and_run();
  say(started);
  say(ready);
  CAF_CHECK_EQUAL(to_string(info().state), "ready");
  say(finished, 7);
  CAF_CHECK_EQUAL(to_string(info().state), "finished");
  CAF_CHECK_EQUAL(story(), "created starting started payload_started ready finished");
  CAF_CHECK_EQUAL(told->back().payload.exit_code, 7);
  CAF_CHECK_EQUAL(told->back().detail, "exit 7");
  CAF_CHECK(info().payload.finished);
  exit_with(death_reason::shutdown);
  CAF_CHECK_EQUAL(told->back().payload.exit_code, 7);
  CAF_CHECK(told->back().payload.finished);
}

CAF_TEST(lines out of order change nothing) {
  start_and_run();
  say(finished, 1);
  auto before = told->size();
  for (int i = 0; i < 100; ++i) {
    say(ready);
    say(finished, 0);
  }
  guest().callbacks.on_bad_status("no JSON");
  settle();
  CAF_CHECK_EQUAL(told->size(), before);
  CAF_CHECK_EQUAL(info().payload.exit_code, 1);
}

CAF_TEST(an error is told once with its code and words) {
  start_and_run();
  say(error, 0, payload_error::payload_verification_failed, "no signature");
  say(error, 0, payload_error::unknown, "again");
  CAF_CHECK_EQUAL(story(), "created starting started payload_error");
  CAF_CHECK_EQUAL(told->back().detail, "no signature");
  CAF_CHECK(told->back().payload.error == payload_error::payload_verification_failed);
  CAF_CHECK(info().payload.failed);
  CAF_CHECK_EQUAL(to_string(info().state), "started");
}

CAF_TEST(a guest that is faster than the control channel has its turn) {
  start();
  connect(payload_output_port);
  CAF_CHECK_EQUAL(guest().outputs.size(), 1u);
  say(ready);
  for (int i = 0; i < 100; ++i)
    say(ready);
  CAF_CHECK_EQUAL(story(), "created starting");
  vmm().callbacks.on_up(1);
  settle();
  CAF_CHECK_EQUAL(story(), "created starting started payload_started ready");
}

CAF_TEST(words before the start or after death are nothing) {
  say(ready);
  CAF_CHECK_EQUAL(story(), "created");
  start_and_run();
  exit_with(death_reason::shutdown);
  say(finished, 1);
  CAF_CHECK_EQUAL(story(), "created starting started dead");
  CAF_CHECK(!info().payload.finished);
}

CAF_TEST(a guest that is being stopped is still heard) {
  start_and_run();
  stop();
  say(finished, 143);
  CAF_CHECK_EQUAL(story(), "created starting started stopping payload_started finished");
}

CAF_TEST_FIXTURE_SCOPE_END()

// -- the hang watchdog ---------------------------------------------------------

namespace {

struct protocol_vm : supervised_vm {
  explicit protocol_vm(std::uint32_t timeout_s = 0, accel_kind accel = accel_kind::kvm,
                       bool nested = false)
      : supervised_vm(config_with(timeout_s), {vmm_kind::qemu, accel, nested}) {}

  static vm_config config_with(std::uint32_t timeout_s) {
    auto config = small_vm("demo");
    config.guest_protocol = true;
    config.started_timeout_s = timeout_s;
    return config;
  }

  void pause(bool suspend) {
    if (suspend)
      ask<vm_info>(vm, suspend_atom::value);
    else
      ask<vm_info>(vm, resume_atom::value);
    answer({});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(hang_watchdog_tests, protocol_vm)

CAF_TEST(a silent guest is killed and has hung) {
  start_and_run();
  pass(29s);
  CAF_CHECK_EQUAL(vmm().killed, 0);
  pass(1s);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  exit_with(death_reason::killed, exit_kind::signal, 9);
  CAF_CHECK_EQUAL(to_string(told->back().reason), "hangup");
  CAF_CHECK_EQUAL(told->back().detail,
                  "the guest did not say within 30 s that its payload started");
}

CAF_TEST(a slow guest has more time and a stated time counts) {
  for (auto [timeout_s, accel, nested, bound] :
       {std::tuple{0u, accel_kind::tcg, false, 300s}, std::tuple{0u, accel_kind::kvm, true, 300s},
        std::tuple{7u, accel_kind::tcg, false, 7s}, std::tuple{7u, accel_kind::kvm, false, 7s},
        std::tuple{7u, accel_kind::kvm, true, 7s}}) {
    protocol_vm fresh{timeout_s, accel, nested};
    fresh.start_and_run();
    fresh.pass(bound - 1s);
    CAF_CHECK_EQUAL(fresh.vmm().killed, 0);
    fresh.pass(1s);
    CAF_CHECK_EQUAL(fresh.vmm().killed, 1);
  }
}

CAF_TEST(any word ends the wait) {
  for (auto kind : {started, ready, finished, error}) {
    protocol_vm fresh;
    fresh.start_and_run();
    fresh.say(kind);
    fresh.pass(1h);
    CAF_CHECK_EQUAL(fresh.vmm().killed, 0);
  }
}

CAF_TEST(output alone is no word) {
  start_and_run();
  connect(payload_output_port);
  pass(30s);
  CAF_CHECK_EQUAL(vmm().killed, 1);
}

CAF_TEST(the clock stands still while the guest is suspended) {
  start_and_run();
  pass(20s);
  pause(true);
  pass(1h);
  CAF_CHECK_EQUAL(vmm().killed, 0);
  pause(false);
  pass(9s);
  CAF_CHECK_EQUAL(vmm().killed, 0);
  pass(1s);
  CAF_CHECK_EQUAL(vmm().killed, 1);
}

CAF_TEST(a guest without the protocol may be silent) {
  supervised_vm other;
  other.start_and_run();
  other.pass(1h);
  CAF_CHECK_EQUAL(other.vmm().killed, 0);
}

CAF_TEST(a guest that is being stopped does not hang) {
  start_and_run();
  pass(29s);
  stop(10s);
  pass(5s);
  CAF_CHECK_EQUAL(vmm().killed, 0);
  exit_with(death_reason::shutdown);
  pass(30s);
  CAF_CHECK_EQUAL(to_string(told->back().reason), "shutdown");
}

CAF_TEST(the clock begins when the vmm is up) {
  start();
  pass(29s);
  vmm().callbacks.on_up(1);
  settle();
  pass(29s);
  CAF_CHECK_EQUAL(vmm().killed, 0);
  pass(1s);
  CAF_CHECK_EQUAL(vmm().killed, 1);
}

CAF_TEST(a kill of ours after a hang changes nothing) {
  start_and_run();
  pass(30s);
  auto killed = ask<vm_info>(vm, kill_atom::value);
  exit_with(death_reason::killed, exit_kind::signal, 9);
  CAF_CHECK_EQUAL(to_string(killed->get().reason), "hangup");
}

CAF_TEST_FIXTURE_SCOPE_END()
