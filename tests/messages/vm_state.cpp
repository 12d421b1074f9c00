// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/vm_state.hpp"

#include "crosvisor/messages/vm_event.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE messages.vm_state

using namespace crosvisor;

CAF_TEST(states have the numbers and order of android) {
  CAF_CHECK_EQUAL(static_cast<int>(vm_state::not_started), 0);
  CAF_CHECK_EQUAL(static_cast<int>(vm_state::starting), 1);
  CAF_CHECK_EQUAL(static_cast<int>(vm_state::started), 2);
  CAF_CHECK_EQUAL(static_cast<int>(vm_state::ready), 3);
  CAF_CHECK_EQUAL(static_cast<int>(vm_state::finished), 4);
  CAF_CHECK_EQUAL(static_cast<int>(vm_state::dead), 6);
}

CAF_TEST(reasons have the numbers and names of android) {
  CAF_CHECK_EQUAL(to_string(death_reason{0}), "infrastructure_error");
  CAF_CHECK_EQUAL(to_string(death_reason{1}), "killed");
  CAF_CHECK_EQUAL(to_string(death_reason{2}), "unknown");
  CAF_CHECK_EQUAL(to_string(death_reason{3}), "shutdown");
  CAF_CHECK_EQUAL(to_string(death_reason{4}), "start_failed");
  CAF_CHECK_EQUAL(to_string(death_reason{5}), "reboot");
  CAF_CHECK_EQUAL(to_string(death_reason{6}), "crash");
  CAF_CHECK_EQUAL(to_string(death_reason{9}), "invalid");
  CAF_CHECK_EQUAL(to_string(death_reason{15}), "microdroid_unknown_runtime_error");
  CAF_CHECK_EQUAL(to_string(death_reason{16}), "hangup");
  CAF_CHECK_EQUAL(to_string(death_reason{17}), "watchdog_reboot");
}

CAF_TEST(an end is said in words) {
  CAF_CHECK_EQUAL(to_string(vmm_exit{exit_kind::code, 32, {}, ""}), "exit code 32");
  CAF_CHECK_EQUAL(to_string(vmm_exit{exit_kind::signal, 9, {}, ""}), "signal 9");
  CAF_CHECK_EQUAL(to_string(vmm_exit{}), "no process");
  CAF_CHECK_EQUAL(to_string(vmm_exit{exit_kind::vanished, 0, {}, ""}), "lost process");
}

CAF_TEST(every event has a name) {
  for (int kind = 0; kind <= static_cast<int>(vm_event_kind::payload_error); ++kind)
    CAF_CHECK(to_string(static_cast<vm_event_kind>(kind)) != "invalid");
}

CAF_TEST(payload errors have the numbers and names of android) {
  CAF_CHECK_EQUAL(to_string(payload_error{0}), "unknown");
  CAF_CHECK_EQUAL(to_string(payload_error{1}), "payload_verification_failed");
  CAF_CHECK_EQUAL(to_string(payload_error{2}), "payload_changed");
  CAF_CHECK_EQUAL(to_string(payload_error{3}), "payload_invalid_config");
  CAF_CHECK_EQUAL(to_string(payload_error{4}), "invalid");
}
