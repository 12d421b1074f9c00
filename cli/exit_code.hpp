// SPDX-License-Identifier: Apache-2.0
// What the program's exit code says.
#pragma once

#include "crosvisor/messages/error.hpp"
#include "crosvisor/messages/payload_status.hpp"
#include "crosvisor/messages/vm_state.hpp"

#include <optional>

namespace crosvisor::cli {

/// The program's exit codes, stable. Besides them, 1 to 119 are a payload's own, and 128 + n says
/// that signal n killed the VMM.
enum exit_code : int {
  done = 0,
  failed = 1,
  usage = 2, ///< The command line or a configuration is wrong; nothing was started.
  not_found = 3,
  denied = 4,
  timed_out = 5,
  conflict = 6,
  vm_crashed = 120,
  vm_hung = 121,
  vm_rebooted = 122,
  payload_unverified = 123,
  run_timed_out = 124, ///< `--timeout` ran out.
  start_failed = 125,
  infrastructure = 126,
};

/// The code of a request that was answered with `why`.
int exit_code_of(vm_errc why) noexcept;

/// The code of a VM's end. A VM that was killed without a signal, by its VMM's own stop, counts as
/// ended by SIGTERM.
int exit_code_of(death_reason reason, const vmm_exit& exit) noexcept;

/// All that decides the exit code of a run whose VM is dead.
struct run_end {
  death_reason reason = death_reason::unknown;
  vmm_exit exit;
  payload_info payload;
  /// `--timeout` ran out before the payload had finished.
  bool timed_out = false;
  /// What the start was answered, where that says more than the death.
  std::optional<vm_errc> start_error;
};

/// The code of a run; the first that applies of: `--timeout` ran out; the payload was not verified;
/// the payload finished, with its own code, those above 119 and below 0 being 119; the start was
/// refused; the VM's end, where that is no success; the payload failed; success.
int exit_code_of(const run_end& end) noexcept;

/// The code of a command that knows 0 to 6 alone: what `run` tells apart has failed.
int general_exit_code(int code) noexcept;

/// Whether a VM's end is one that nobody asked for, and whose cause is to be shown.
bool ended_badly(death_reason reason) noexcept;

} // namespace crosvisor::cli
