// SPDX-License-Identifier: Apache-2.0
// A VM's life as one table: phase × input → next phase and action. Pure data.
#pragma once

#include "crosvisor/messages/vm_state.hpp"

#include <cstdint>
#include <string>

namespace crosvisor::actors {

/// Where a VM is in its life; finer than vm_state, which the payload moves on while the VM runs.
enum class vm_phase : std::uint8_t {
  created,      ///< Nothing runs.
  building,     ///< Its images are being made; bounded by the build timeout.
  cancelling,   ///< Their making was given up, and ends.
  launching,    ///< Its VMM is being started; bounded by the start timeout.
  running,      ///< Its VMM runs the guest.
  asking_guest, ///< Stop, first rung: the power button was pressed.
  asking_vmm,   ///< Second rung: the VMM was asked to quit.
  terminating,  ///< Third rung: SIGTERM was sent.
  killing,      ///< Last rung: SIGKILL was sent.
  finishing,    ///< The process has ended; what its guest sent last is still being read.
  waiting,      ///< It has died, and is started again after a while.
  reviving,     ///< What its last life had goes; bounded by the revive timeout.
  dead,
};
inline constexpr std::size_t vm_phase_count = 13;

/// What can happen to a VM.
enum class vm_input : std::uint8_t {
  start,         ///< Somebody asks to start it.
  build,         ///< The same, of one whose images have to be made first.
  stop,          ///< Somebody asks to stop it.
  kill,          ///< Somebody asks to kill it.
  built,         ///< Its images are there.
  build_failed,  ///< They are not, and nothing of them is left.
  up,            ///< The VMM runs the guest.
  launch_failed, ///< There is no VMM process.
  fault,         ///< The VMM says that the guest can't go on.
  exited,        ///< The VMM's process has ended.
  refused,       ///< The present rung of the stop ladder was refused.
  expired,       ///< The present phase has taken as long as it may.
  hung,          ///< The guest did not say in time that its payload started.
  streams_done,  ///< All that the guest sent was read.
  again,         ///< It has died, and its policy wants it started again.
  gone,          ///< What its last life had is gone, and no images have to be made.
};
inline constexpr std::size_t vm_input_count = 16;

/// What the supervisor then does. A phase's timer is armed when the phase is entered.
enum class vm_action : std::uint8_t {
  ignore,   ///< Nothing: late, or of no meaning here.
  reject,   ///< Answer wrong_state.
  join,     ///< Let the sender wait for the death that is under way.
  build,    ///< Have its images made.
  cancel,   ///< Give their making up.
  launch,   ///< Start the VMM.
  announce, ///< Tell that it started.
  press_power_button,
  ask_to_quit,
  terminate,
  kill,
  finish_streams, ///< Have the rest of what the guest sent read.
  bury,           ///< Tell that it died, why, and release what it had.
  abandon,        ///< The same, of a process that does not die.
  restart,        ///< Tell that it died and why, and begin to wait.
  revive,         ///< Release what its last life had.
};

struct vm_transition {
  vm_phase next;
  vm_action action;
};

/// Looks the pair up in the table; what has no row there is late or means nothing, and is ignored.
/// `ignore`, `reject` and `join` stay in the phase.
vm_transition next_step(vm_phase phase, vm_input input) noexcept;

/// Why the service itself ended a VM; what it knows better than any exit status.
enum class end_cause : std::uint8_t {
  none,          ///< It did not: the VMM ended by itself.
  stop,          ///< A stop or kill was asked for.
  start_expired, ///< The VMM never answered.
  fault,         ///< The VMM reported that the guest can't go on.
  hung,          ///< The guest did not say in time that its payload started.
};

/// The one reason for a death, from what the VMM's end looked like and from what the service did.
/// @param had_started whether the guest ever ran.
/// @param why what a VMM's fault said, or what a hung guest was waited for.
vmm_exit judge_death(vmm_exit exit, end_cause cause, bool had_started, const std::string& why);

std::string to_string(vm_phase phase);
std::string to_string(vm_input input);

} // namespace crosvisor::actors
