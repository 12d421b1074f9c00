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
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::denied), 4);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::connection_refused), 1);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::timed_out), 5);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::name_taken), 6);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::vmm_unavailable), 125);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::start_failed), 125);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::io_failed), 126);
  CAF_CHECK_EQUAL(exit_code_of(vm_errc::cid_exhausted), 126);
}

CAF_TEST(the first that applies decides a run) {
  using enum death_reason;
  using error = payload_error;
  constexpr payload_info none{};
  constexpr auto finished = [](int code) { return payload_info{true, true, code, false, {}}; };
  constexpr auto failed = [](error how) { return payload_info{true, false, 0, true, how}; };
  struct row {
    const char* what;
    run_end end;
    int code;
  };
  const vmm_exit exited{exit_kind::code, 0, shutdown, ""};
  const vmm_exit by_kill{exit_kind::signal, 9, killed, ""};
  const std::optional<vm_errc> no_error;
  const row rows[] = {
    {"no word and a clean end", {shutdown, exited, none, false, no_error}, 0},
    {"success", {shutdown, exited, finished(0), false, no_error}, 0},
    {"its own", {shutdown, exited, finished(7), false, no_error}, 7},
    {"its own highest", {shutdown, exited, finished(119), false, no_error}, 119},
    {"too high", {shutdown, exited, finished(120), false, no_error}, 119},
    {"signal of a shell", {shutdown, exited, finished(255), false, no_error}, 119},
    {"below zero", {shutdown, exited, finished(-1), false, no_error}, 119},
    {"success and then a crash", {crash, exited, finished(0), false, no_error}, 0},
    {"its own and then a kill", {killed, by_kill, finished(3), false, no_error}, 3},
    {"a hang", {hangup, by_kill, none, false, no_error}, 121},
    {"a crash", {crash, exited, none, false, no_error}, 120},
    {"a kill", {killed, by_kill, none, false, no_error}, 137},
    {"timeout", {shutdown, exited, none, true, no_error}, 124},
    {"timeout, then the payload was ended", {shutdown, exited, finished(143), true, no_error}, 124},
    {"not verified",
     {shutdown, exited, failed(error::payload_verification_failed), false, no_error},
     123},
    {"changed, then a crash",
     {crash, exited, failed(error::payload_changed), false, no_error},
     123},
    {"not verified, and says it was fine",
     {shutdown, exited, {true, true, 0, true, error::payload_verification_failed}, false, no_error},
     123},
    {"bad payload config",
     {shutdown, exited, failed(error::payload_invalid_config), false, no_error},
     126},
    {"unknown error", {shutdown, exited, failed(error::unknown), false, no_error}, 126},
    {"unknown error, then a reboot",
     {reboot, exited, failed(error::unknown), false, no_error},
     122},
    {"unknown error and a code",
     {shutdown, exited, {true, true, 4, true, error::unknown}, false, no_error},
     4},
    {"refused start", {start_failed, {}, none, false, vm_errc::invalid_config}, 2},
    {"failed start", {start_failed, {}, none, false, no_error}, 125},
  };
  for (const auto& [what, end, code] : rows)
    CAF_CHECK_EQUAL(what + std::to_string(exit_code_of(end)), what + std::to_string(code));
}

CAF_TEST(an end that somebody asked for is not a bad one) {
  CAF_CHECK(!ended_badly(death_reason::shutdown));
  CAF_CHECK(!ended_badly(death_reason::reboot));
  CAF_CHECK(!ended_badly(death_reason::killed));
  CAF_CHECK(ended_badly(death_reason::crash));
  CAF_CHECK(ended_badly(death_reason::start_failed));
  CAF_CHECK(ended_badly(death_reason::unknown));
}

CAF_TEST(most commands know 0 to 6 alone) {
  for (int code = 0; code <= 6; ++code)
    CAF_CHECK_EQUAL(general_exit_code(code), code);
  CAF_CHECK_EQUAL(general_exit_code(infrastructure), 1);
  CAF_CHECK_EQUAL(general_exit_code(exit_code::start_failed), 1);
}
