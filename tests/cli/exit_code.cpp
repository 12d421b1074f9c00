// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/exit_code.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE cli.exit_code

using namespace crosvisor;
using namespace crosvisor::cli;

namespace {

int code_of(death_reason reason, exit_kind kind = exit_kind::code, int value = 0) {
  return exit_code_of(reason, {kind, value, reason, ""});
}

} // namespace

CAF_TEST(each way to die has its code) {
  using enum death_reason;
  CAF_CHECK_EQUAL(code_of(shutdown), 0);
  CAF_CHECK_EQUAL(code_of(crash), 120);
  CAF_CHECK_EQUAL(code_of(crash, exit_kind::signal, 11), 120);
  CAF_CHECK_EQUAL(code_of(hangup), 121);
  CAF_CHECK_EQUAL(code_of(watchdog_reboot), 121);
  CAF_CHECK_EQUAL(code_of(reboot), 122);
  CAF_CHECK_EQUAL(code_of(microdroid_payload_verification_failed), 123);
  CAF_CHECK_EQUAL(code_of(microdroid_payload_has_changed), 123);
  CAF_CHECK_EQUAL(code_of(pvm_firmware_public_key_mismatch), 123);
  CAF_CHECK_EQUAL(code_of(pvm_firmware_instance_image_changed), 123);
  CAF_CHECK_EQUAL(code_of(death_reason::start_failed, exit_kind::code, 1), 125);
  CAF_CHECK_EQUAL(code_of(infrastructure_error, exit_kind::vanished), 126);
  CAF_CHECK_EQUAL(code_of(unknown, exit_kind::code, 77), 126);
  CAF_CHECK_EQUAL(code_of(microdroid_unknown_runtime_error), 126);
}

CAF_TEST(the number of a signal is told) {
  CAF_CHECK_EQUAL(code_of(death_reason::killed, exit_kind::signal, 9), 137);
  CAF_CHECK_EQUAL(code_of(death_reason::killed, exit_kind::signal, 15), 143);
  CAF_CHECK_EQUAL(code_of(death_reason::unknown, exit_kind::signal, 7), 135);
  CAF_CHECK_EQUAL(code_of(death_reason::killed, exit_kind::code, 0), 143);
  CAF_CHECK_EQUAL(code_of(death_reason::killed, exit_kind::none), 143);
}

CAF_TEST(each refusal has its code) {
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::invalid_config), 2);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::unsupported), 2);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::no_such_vm), 3);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::timed_out), 5);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::name_taken), 6);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::vmm_unavailable), 125);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::start_failed), 125);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::io_failed), 126);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::cid_exhausted), 126);
}

CAF_TEST(an end that somebody asked for is not a bad one) {
  CAF_CHECK(!ended_badly(death_reason::shutdown));
  CAF_CHECK(!ended_badly(death_reason::reboot));
  CAF_CHECK(!ended_badly(death_reason::killed));
  CAF_CHECK(ended_badly(death_reason::crash));
  CAF_CHECK(ended_badly(death_reason::start_failed));
  CAF_CHECK(ended_badly(death_reason::unknown));
}
