// SPDX-License-Identifier: Apache-2.0
// A VM's states, how it ended, and what the VMM's process said of its end. Knows no CAF type.
#pragma once

#include <cstdint>
#include <string>

namespace crosvisor {

/// A VM's state. States only move forward; the values are those of Android's
/// VirtualMachineState.aidl. Whether a VM is suspended is a flag beside them.
enum class vm_state : std::uint8_t {
  not_started = 0, ///< Created; has a CID and nothing that runs.
  starting = 1,    ///< Its VMM is being started.
  started = 2,     ///< Its VMM runs the guest.
  ready = 3,       ///< Its payload said that it is ready to serve.
  finished = 4,    ///< Its payload has ended; the guest may still be running.
  dead = 6,        ///< Nothing of it runs any more.
};

/// Why a VM died. The values are those of Android's DeathReason.aidl.
enum class death_reason : std::uint8_t {
  infrastructure_error = 0, ///< The service lost sight of it, or a part of the host failed.
  killed = 1,               ///< Its VMM was ended by a signal or by a stop that the guest ignored.
  unknown = 2,              ///< Its VMM ended in a way that no table knows.
  shutdown = 3,             ///< The guest powered itself off.
  start_failed = 4,         ///< Its VMM could not start the guest.
  reboot = 5,               ///< The guest asked for a reset.
  crash = 6,                ///< The guest's kernel panicked, or the VMM or a device crashed.
  pvm_firmware_public_key_mismatch = 7,
  pvm_firmware_instance_image_changed = 8,
  microdroid_failed_to_connect_to_virtualization_service = 11,
  microdroid_payload_has_changed = 12,
  microdroid_payload_verification_failed = 13,
  microdroid_invalid_payload_config = 14,
  microdroid_unknown_runtime_error = 15,
  hangup = 16,          ///< The guest did not say in time that its payload started.
  watchdog_reboot = 17, ///< The VMM's watchdog saw a virtual CPU stall.
};

/// How the VMM's process ended.
enum class exit_kind : std::uint8_t {
  none,     ///< There was no process, or it has not ended.
  code,     ///< It called exit; `value` is the code, 0 to 255.
  signal,   ///< A signal ended it; `value` is the signal's number.
  vanished, ///< It could not be waited for, or does not die.
};

/// The end of a VMM's process, as its driver reads it.
struct vmm_exit {
  exit_kind kind = exit_kind::none;
  std::int32_t value = 0;
  /// What the driver's exit table and its control channel make of it.
  death_reason reason = death_reason::unknown;
  /// One sentence for people; may be empty.
  std::string detail;
};

/// Stable snake_case names, as events and output spell them.
std::string to_string(vm_state state);
std::string to_string(death_reason reason);

/// `exit code 1`, `signal 9`, …, for people.
std::string to_string(const vmm_exit& exit);

template <class Inspector>
auto inspect(Inspector& f, vmm_exit& x) {
  return f(x.kind, x.value, x.reason, x.detail);
}

} // namespace crosvisor
