// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/exit_code.hpp"

#include <csignal>

namespace crosvisor::cli {

int exit_code_of(vm_errc why) noexcept {
  switch (why) {
    case vm_errc::invalid_config:
    case vm_errc::unsupported: return usage;
    case vm_errc::no_such_vm:
    case vm_errc::no_such_ticket:
    case vm_errc::no_such_image: return not_found;
    case vm_errc::timed_out: return timed_out;
    case vm_errc::name_taken:
    case vm_errc::wrong_state: return conflict;
    case vm_errc::vmm_unavailable:
    case vm_errc::start_failed: return start_failed;
    case vm_errc::cid_exhausted:
    case vm_errc::io_failed:
    case vm_errc::shutting_down:
    case vm_errc::busy: return infrastructure;
    case vm_errc::denied: return exit_code::denied;
    case vm_errc::cancelled:
    case vm_errc::connection_refused:
    case vm_errc::vmm_refused: return failed;
  }
  return failed;
}

int exit_code_of(death_reason reason, const vmm_exit& exit) noexcept {
  using enum death_reason;
  switch (reason) {
    case shutdown: return done;
    case crash: return vm_crashed;
    case hangup:
    case watchdog_reboot: return vm_hung;
    case reboot: return vm_rebooted;
    case pvm_firmware_public_key_mismatch:
    case pvm_firmware_instance_image_changed:
    case microdroid_payload_has_changed:
    case microdroid_payload_verification_failed: return payload_unverified;
    case death_reason::start_failed: return exit_code::start_failed;
    case killed: return 128 + (exit.kind == exit_kind::signal ? exit.value : SIGTERM);
    case unknown:
      return exit.kind == exit_kind::signal ? 128 + exit.value : exit_code::infrastructure;
    case infrastructure_error:
    case microdroid_failed_to_connect_to_virtualization_service:
    case microdroid_invalid_payload_config:
    case microdroid_unknown_runtime_error: return exit_code::infrastructure;
  }
  return exit_code::infrastructure;
}

int exit_code_of(const run_end& end) noexcept {
  constexpr std::int32_t highest_of_payloads = 119;
  const auto& payload = end.payload;
  if (end.timed_out)
    return run_timed_out;
  if (payload.failed
      && (payload.error == payload_error::payload_verification_failed
          || payload.error == payload_error::payload_changed))
    return payload_unverified;
  if (payload.finished) {
    auto told = payload.exit_code;
    return told < 0 || told > highest_of_payloads ? highest_of_payloads : told;
  }
  if (end.start_error)
    return exit_code_of(*end.start_error);
  if (auto code = exit_code_of(end.reason, end.exit); code != done)
    return code;
  return payload.failed ? infrastructure : done;
}

int general_exit_code(int code) noexcept {
  return code <= conflict ? code : static_cast<int>(failed);
}

bool ended_badly(death_reason reason) noexcept {
  using enum death_reason;
  return reason != shutdown && reason != reboot && reason != killed;
}

} // namespace crosvisor::cli
