// SPDX-License-Identifier: Apache-2.0
// How each VMM's process ends, and what that says of its guest. Pure functions.
#pragma once

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/messages/vm_state.hpp"

#include <string>

namespace crosvisor::io {

/// What is known of a crosvm that has ended.
struct crosvm_record {
  /// It was told to use its extended exit codes, so 0 means one thing.
  bool extended_status = false;
  /// It was told to end without asking the guest, and did not refuse.
  bool quit_asked = false;
};

/// crosvm's exit codes (src/main.rs, CommandStatus): 0 success, 1 error, 32 reset, 33 crash,
/// 34 guest panic, 35 invalid arguments, 36 watchdog.
vmm_exit read_crosvm_end(exit_status status, const crosvm_record& record);

/// What a QEMU that has ended said on its QMP channel.
struct qemu_record {
  /// It ran the guest and answered.
  bool up = false;
  /// It told of a guest's panic. What follows is a reset where it lets the guest go on.
  bool panicked = false;
  /// The reason of its SHUTDOWN event (qapi/run-state.json, ShutdownCause); empty when none came.
  std::string shutdown_reason;
};

/// QEMU's exit code says little: with -no-reboot it is 0 for a power-off, a reset, a panic, a quit
/// and a SIGTERM alike. The reason of its SHUTDOWN event tells them apart.
vmm_exit read_qemu_end(exit_status status, const qemu_record& record);

} // namespace crosvisor::io
