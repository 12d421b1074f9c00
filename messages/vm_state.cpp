// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/vm_state.hpp"

namespace crosvisor {

std::string to_string(vm_state state) {
  switch (state) {
    case vm_state::not_started: return "not_started";
    case vm_state::starting: return "starting";
    case vm_state::started: return "started";
    case vm_state::ready: return "ready";
    case vm_state::finished: return "finished";
    case vm_state::dead: return "dead";
  }
  return "invalid";
}

std::string to_string(death_reason reason) {
  using enum death_reason;
  switch (reason) {
    case infrastructure_error: return "infrastructure_error";
    case killed: return "killed";
    case unknown: return "unknown";
    case shutdown: return "shutdown";
    case start_failed: return "start_failed";
    case reboot: return "reboot";
    case crash: return "crash";
    case pvm_firmware_public_key_mismatch: return "pvm_firmware_public_key_mismatch";
    case pvm_firmware_instance_image_changed: return "pvm_firmware_instance_image_changed";
    case microdroid_failed_to_connect_to_virtualization_service:
      return "microdroid_failed_to_connect_to_virtualization_service";
    case microdroid_payload_has_changed: return "microdroid_payload_has_changed";
    case microdroid_payload_verification_failed: return "microdroid_payload_verification_failed";
    case microdroid_invalid_payload_config: return "microdroid_invalid_payload_config";
    case microdroid_unknown_runtime_error: return "microdroid_unknown_runtime_error";
    case hangup: return "hangup";
    case watchdog_reboot: return "watchdog_reboot";
  }
  return "invalid";
}

std::string to_string(const vmm_exit& exit) {
  switch (exit.kind) {
    case exit_kind::none: return "no process";
    case exit_kind::code: return "exit code " + std::to_string(exit.value);
    case exit_kind::signal: return "signal " + std::to_string(exit.value);
    case exit_kind::vanished: return "lost process";
  }
  return "invalid";
}

} // namespace crosvisor
