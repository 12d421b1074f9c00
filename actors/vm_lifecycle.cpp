// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/vm_lifecycle.hpp"

#include <array>
#include <utility>

namespace crosvisor::actors {

namespace {

struct rule {
  vm_phase phase;
  vm_input input;
  vm_phase next;
  vm_action action;
};

// clang-format off
constexpr rule rules[] = {
  // phase                input                     next                    action
  {vm_phase::created,      vm_input::start,         vm_phase::launching,    vm_action::launch},
  {vm_phase::created,      vm_input::build,         vm_phase::building,     vm_action::build},
  {vm_phase::created,      vm_input::stop,          vm_phase::dead,         vm_action::bury},
  {vm_phase::created,      vm_input::kill,          vm_phase::dead,         vm_action::bury},

  {vm_phase::building,     vm_input::start,         vm_phase::building,     vm_action::reject},
  {vm_phase::building,     vm_input::stop,          vm_phase::cancelling,   vm_action::cancel},
  {vm_phase::building,     vm_input::kill,          vm_phase::cancelling,   vm_action::cancel},
  {vm_phase::building,     vm_input::built,         vm_phase::launching,    vm_action::launch},
  {vm_phase::building,     vm_input::build_failed,  vm_phase::dead,         vm_action::bury},
  {vm_phase::building,     vm_input::again,         vm_phase::waiting,      vm_action::restart},
  {vm_phase::building,     vm_input::expired,       vm_phase::cancelling,   vm_action::cancel},

  // Death waits for the builder, so that nothing of its work is left then; but not for ever.
  {vm_phase::cancelling,   vm_input::start,         vm_phase::cancelling,   vm_action::reject},
  {vm_phase::cancelling,   vm_input::stop,          vm_phase::cancelling,   vm_action::join},
  {vm_phase::cancelling,   vm_input::kill,          vm_phase::cancelling,   vm_action::join},
  {vm_phase::cancelling,   vm_input::built,         vm_phase::dead,         vm_action::bury},
  {vm_phase::cancelling,   vm_input::build_failed,  vm_phase::dead,         vm_action::bury},
  {vm_phase::cancelling,   vm_input::again,         vm_phase::waiting,      vm_action::restart},
  {vm_phase::cancelling,   vm_input::expired,       vm_phase::dead,         vm_action::bury},

  // There is no guest to ask yet, so a stop begins with SIGTERM.
  {vm_phase::launching,    vm_input::start,         vm_phase::launching,    vm_action::reject},
  {vm_phase::launching,    vm_input::stop,          vm_phase::terminating,  vm_action::terminate},
  {vm_phase::launching,    vm_input::kill,          vm_phase::killing,      vm_action::kill},
  {vm_phase::launching,    vm_input::up,            vm_phase::running,      vm_action::announce},
  {vm_phase::launching,    vm_input::launch_failed, vm_phase::dead,         vm_action::bury},
  {vm_phase::launching,    vm_input::again,         vm_phase::waiting,      vm_action::restart},
  {vm_phase::launching,    vm_input::fault,         vm_phase::killing,      vm_action::kill},
  {vm_phase::launching,    vm_input::exited,        vm_phase::finishing,    vm_action::finish_streams},
  {vm_phase::launching,    vm_input::expired,       vm_phase::killing,      vm_action::kill},

  {vm_phase::running,      vm_input::start,         vm_phase::running,      vm_action::reject},
  {vm_phase::running,      vm_input::stop,          vm_phase::asking_guest, vm_action::press_power_button},
  {vm_phase::running,      vm_input::kill,          vm_phase::killing,      vm_action::kill},
  {vm_phase::running,      vm_input::fault,         vm_phase::killing,      vm_action::kill},
  {vm_phase::running,      vm_input::hung,          vm_phase::killing,      vm_action::kill},
  {vm_phase::running,      vm_input::exited,        vm_phase::finishing,    vm_action::finish_streams},

  {vm_phase::asking_guest, vm_input::start,         vm_phase::asking_guest, vm_action::reject},
  {vm_phase::asking_guest, vm_input::stop,          vm_phase::asking_guest, vm_action::join},
  {vm_phase::asking_guest, vm_input::kill,          vm_phase::killing,      vm_action::kill},
  {vm_phase::asking_guest, vm_input::fault,         vm_phase::killing,      vm_action::kill},
  {vm_phase::asking_guest, vm_input::exited,        vm_phase::finishing,    vm_action::finish_streams},
  {vm_phase::asking_guest, vm_input::refused,       vm_phase::asking_vmm,   vm_action::ask_to_quit},
  {vm_phase::asking_guest, vm_input::expired,       vm_phase::asking_vmm,   vm_action::ask_to_quit},

  {vm_phase::asking_vmm,   vm_input::start,         vm_phase::asking_vmm,   vm_action::reject},
  {vm_phase::asking_vmm,   vm_input::stop,          vm_phase::asking_vmm,   vm_action::join},
  {vm_phase::asking_vmm,   vm_input::kill,          vm_phase::killing,      vm_action::kill},
  {vm_phase::asking_vmm,   vm_input::fault,         vm_phase::killing,      vm_action::kill},
  {vm_phase::asking_vmm,   vm_input::exited,        vm_phase::finishing,    vm_action::finish_streams},
  {vm_phase::asking_vmm,   vm_input::refused,       vm_phase::terminating,  vm_action::terminate},
  {vm_phase::asking_vmm,   vm_input::expired,       vm_phase::terminating,  vm_action::terminate},

  // Perhaps the launch is not over yet: then it fails, or what it started is ended.
  {vm_phase::terminating,  vm_input::start,         vm_phase::terminating,  vm_action::reject},
  {vm_phase::terminating,  vm_input::stop,          vm_phase::terminating,  vm_action::join},
  {vm_phase::terminating,  vm_input::kill,          vm_phase::killing,      vm_action::kill},
  {vm_phase::terminating,  vm_input::launch_failed, vm_phase::dead,         vm_action::bury},
  {vm_phase::terminating,  vm_input::fault,         vm_phase::killing,      vm_action::kill},
  {vm_phase::terminating,  vm_input::exited,        vm_phase::finishing,    vm_action::finish_streams},
  {vm_phase::terminating,  vm_input::expired,       vm_phase::killing,      vm_action::kill},

  {vm_phase::killing,      vm_input::start,         vm_phase::killing,      vm_action::reject},
  {vm_phase::killing,      vm_input::stop,          vm_phase::killing,      vm_action::join},
  {vm_phase::killing,      vm_input::kill,          vm_phase::killing,      vm_action::join},
  {vm_phase::killing,      vm_input::launch_failed, vm_phase::dead,         vm_action::bury},
  {vm_phase::killing,      vm_input::again,         vm_phase::waiting,      vm_action::restart},
  {vm_phase::killing,      vm_input::exited,        vm_phase::finishing,    vm_action::finish_streams},
  {vm_phase::killing,      vm_input::expired,       vm_phase::dead,         vm_action::abandon},

  // Nothing runs any more, so there is nothing to stop; whoever asks waits for the last words too.
  {vm_phase::finishing,    vm_input::start,         vm_phase::finishing,    vm_action::reject},
  {vm_phase::finishing,    vm_input::stop,          vm_phase::finishing,    vm_action::join},
  {vm_phase::finishing,    vm_input::kill,          vm_phase::finishing,    vm_action::join},
  {vm_phase::finishing,    vm_input::expired,       vm_phase::dead,         vm_action::bury},
  {vm_phase::finishing,    vm_input::streams_done,  vm_phase::dead,         vm_action::bury},
  {vm_phase::finishing,    vm_input::again,         vm_phase::waiting,      vm_action::restart},

  // Whoever starts it does not want to wait; whoever stops it wants no next life.
  {vm_phase::waiting,      vm_input::start,         vm_phase::reviving,     vm_action::revive},
  {vm_phase::waiting,      vm_input::stop,          vm_phase::dead,         vm_action::bury},
  {vm_phase::waiting,      vm_input::kill,          vm_phase::dead,         vm_action::bury},
  {vm_phase::waiting,      vm_input::expired,       vm_phase::reviving,     vm_action::revive},

  {vm_phase::reviving,     vm_input::start,         vm_phase::reviving,     vm_action::join},
  {vm_phase::reviving,     vm_input::build,         vm_phase::building,     vm_action::build},
  {vm_phase::reviving,     vm_input::stop,          vm_phase::dead,         vm_action::bury},
  {vm_phase::reviving,     vm_input::kill,          vm_phase::dead,         vm_action::bury},
  {vm_phase::reviving,     vm_input::launch_failed, vm_phase::dead,         vm_action::bury},
  {vm_phase::reviving,     vm_input::expired,       vm_phase::dead,         vm_action::bury},
  {vm_phase::reviving,     vm_input::gone,          vm_phase::launching,    vm_action::launch},

  {vm_phase::dead,         vm_input::start,         vm_phase::dead,         vm_action::reject},
  {vm_phase::dead,         vm_input::stop,          vm_phase::dead,         vm_action::join},
  {vm_phase::dead,         vm_input::kill,          vm_phase::dead,         vm_action::join},
};
// clang-format on

/// Ends that say nothing of the guest's own will, so what we did explains them.
bool explained_by_us(death_reason reason) {
  using enum death_reason;
  return reason == start_failed || reason == unknown || reason == killed;
}

} // namespace

vm_transition next_step(vm_phase phase, vm_input input) noexcept {
  for (const auto& rule : rules)
    if (rule.phase == phase && rule.input == input)
      return {rule.next, rule.action};
  return {phase, vm_action::ignore};
}

vmm_exit judge_death(vmm_exit exit, end_cause cause, bool had_started, const std::string& why) {
  switch (cause) {
    case end_cause::none: break;
    case end_cause::stop:
      if (explained_by_us(exit.reason)) {
        exit.reason = death_reason::killed;
        if (exit.kind != exit_kind::none)
          exit.detail = "stopped on request";
      }
      break;
    case end_cause::start_expired:
      exit.reason = death_reason::start_failed;
      exit.detail = "the VMM did not answer on its control channel in time";
      break;
    case end_cause::fault:
      exit.reason = had_started ? death_reason::crash : death_reason::start_failed;
      exit.detail = why;
      break;
    case end_cause::hung:
      if (explained_by_us(exit.reason)) {
        exit.reason = death_reason::hangup;
        exit.detail = why;
      }
      break;
  }
  return exit;
}

std::string to_string(vm_phase phase) {
  constexpr std::array<const char*, vm_phase_count> names{
    "created",     "building", "cancelling", "launching", "running",  "asking_guest", "asking_vmm",
    "terminating", "killing",  "finishing",  "waiting",   "reviving", "dead"};
  return names[static_cast<std::size_t>(phase)];
}

std::string to_string(vm_input input) {
  constexpr std::array<const char*, vm_input_count> names{
    "start", "build",  "stop",    "kill",    "built", "build_failed", "up",    "launch_failed",
    "fault", "exited", "refused", "expired", "hung",  "streams_done", "again", "gone"};
  return names[static_cast<std::size_t>(input)];
}

} // namespace crosvisor::actors
