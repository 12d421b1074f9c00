// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/vm_lifecycle.hpp"

#include <array>
#include <utility>

namespace crosvisor::actors {

namespace {

using row = std::array<vm_transition, vm_input_count>;

constexpr vm_transition stay(vm_phase phase, vm_action action = vm_action::ignore) {
  return {phase, action};
}

constexpr auto make_table() {
  using enum vm_phase;
  using enum vm_action;
  constexpr vm_transition buried{dead, bury}, killed{killing, vm_action::kill};
  // In the order of vm_input:
  // start, stop, kill, up, launch_failed, fault, exited, refused, expired
  return std::array<row, vm_phase_count>{{
      /* created */
      {{{launching, launch},
        buried,
        buried,
        stay(created),
        stay(created),
        stay(created),
        stay(created),
        stay(created),
        stay(created)}},
      /* launching: no guest to ask yet, so a stop begins with SIGTERM */
      {{stay(launching, reject),
        {terminating, terminate},
        killed,
        {running, announce},
        buried,
        killed,
        buried,
        stay(launching),
        killed}},
      /* running */
      {{stay(running, reject),
        {asking_guest, press_power_button},
        killed,
        stay(running),
        stay(running),
        killed,
        buried,
        stay(running),
        stay(running)}},
      /* asking_guest */
      {{stay(asking_guest, reject),
        stay(asking_guest, join),
        killed,
        stay(asking_guest),
        stay(asking_guest),
        killed,
        buried,
        {asking_vmm, ask_to_quit},
        {asking_vmm, ask_to_quit}}},
      /* asking_vmm */
      {{stay(asking_vmm, reject),
        stay(asking_vmm, join),
        killed,
        stay(asking_vmm),
        stay(asking_vmm),
        killed,
        buried,
        {terminating, terminate},
        {terminating, terminate}}},
      /* terminating: perhaps before the launch is over */
      {{stay(terminating, reject), stay(terminating, join), killed, stay(terminating), buried,
        killed, buried, stay(terminating), killed}},
      /* killing */
      {{stay(killing, reject),
        stay(killing, join),
        stay(killing, join),
        stay(killing),
        buried,
        stay(killing),
        buried,
        stay(killing),
        {dead, abandon}}},
      /* dead: whatever was under way is late */
      {{stay(dead, reject), stay(dead, join), stay(dead, join), stay(dead), stay(dead), stay(dead),
        stay(dead), stay(dead), stay(dead)}},
  }};
}

constexpr auto table = make_table();

/// Ends that say nothing of the guest's own will, so a stop of ours explains them.
bool explained_by_stop(death_reason reason) {
  using enum death_reason;
  return reason == start_failed || reason == unknown || reason == killed;
}

} // namespace

vm_transition next_step(vm_phase phase, vm_input input) noexcept {
  return table[static_cast<std::size_t>(phase)][static_cast<std::size_t>(input)];
}

vmm_exit judge_death(vmm_exit exit, end_cause cause, bool had_started, const std::string& fault) {
  switch (cause) {
  case end_cause::none:
    break;
  case end_cause::stop:
    if (explained_by_stop(exit.reason)) {
      exit.reason = death_reason::killed;
      exit.detail = "stopped on request";
    }
    break;
  case end_cause::start_expired:
    exit.reason = death_reason::start_failed;
    exit.detail = "the VMM did not answer on its control channel in time";
    break;
  case end_cause::fault:
    exit.reason = had_started ? death_reason::crash : death_reason::start_failed;
    exit.detail = fault;
    break;
  }
  return exit;
}

std::string to_string(vm_phase phase) {
  constexpr std::array<const char*, vm_phase_count> names{
      "created",    "launching",   "running", "asking_guest",
      "asking_vmm", "terminating", "killing", "dead"};
  return names[static_cast<std::size_t>(phase)];
}

std::string to_string(vm_input input) {
  constexpr std::array<const char*, vm_input_count> names{
      "start", "stop", "kill", "up", "launch_failed", "fault", "exited", "refused", "expired"};
  return names[static_cast<std::size_t>(input)];
}

} // namespace crosvisor::actors
