// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/vm_lifecycle.hpp"

#include <caf/test/dsl.hpp>

#include <array>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE actors.vm_lifecycle

using namespace crosvisor;
using namespace crosvisor::actors;

namespace {

// One line a phase, in the order of vm_input; "next/action", "." where the input is ignored.
// Written out by hand, so that a change of the table must be made twice.
struct expectation {
  vm_phase phase;
  std::array<const char*, vm_input_count> cells;
};

constexpr std::array<expectation, vm_phase_count> expected{{
  {vm_phase::created,
   {"launching/launch", "building/build", "dead/bury", "dead/bury", ".", ".", ".", ".", ".", ".",
    ".", ".", ".", ".", ".", "."}},
  {vm_phase::building,
   {"building/reject", ".", "cancelling/cancel", "cancelling/cancel", "launching/launch",
    "dead/bury", ".", ".", ".", ".", ".", "cancelling/cancel", ".", ".", "waiting/restart", "."}},
  {vm_phase::cancelling,
   {"cancelling/reject", ".", "cancelling/join", "cancelling/join", "dead/bury", "dead/bury", ".",
    ".", ".", ".", ".", "dead/bury", ".", ".", "waiting/restart", "."}},
  {vm_phase::launching,
   {"launching/reject", ".", "terminating/terminate", "killing/kill", ".", ".", "running/announce",
    "dead/bury", "killing/kill", "finishing/finish_streams", ".", "killing/kill", ".", ".",
    "waiting/restart", "."}},
  {vm_phase::running,
   {"running/reject", ".", "asking_guest/press_power_button", "killing/kill", ".", ".", ".", ".",
    "killing/kill", "finishing/finish_streams", ".", ".", "killing/kill", ".", ".", "."}},
  {vm_phase::asking_guest,
   {"asking_guest/reject", ".", "asking_guest/join", "killing/kill", ".", ".", ".", ".",
    "killing/kill", "finishing/finish_streams", "asking_vmm/ask_to_quit", "asking_vmm/ask_to_quit",
    ".", ".", ".", "."}},
  {vm_phase::asking_vmm,
   {"asking_vmm/reject", ".", "asking_vmm/join", "killing/kill", ".", ".", ".", ".", "killing/kill",
    "finishing/finish_streams", "terminating/terminate", "terminating/terminate", ".", ".", ".",
    "."}},
  {vm_phase::terminating,
   {"terminating/reject", ".", "terminating/join", "killing/kill", ".", ".", ".", "dead/bury",
    "killing/kill", "finishing/finish_streams", ".", "killing/kill", ".", ".", ".", "."}},
  {vm_phase::killing,
   {"killing/reject", ".", "killing/join", "killing/join", ".", ".", ".", "dead/bury", ".",
    "finishing/finish_streams", ".", "dead/abandon", ".", ".", "waiting/restart", "."}},
  {vm_phase::finishing,
   {"finishing/reject", ".", "finishing/join", "finishing/join", ".", ".", ".", ".", ".", ".", ".",
    "dead/bury", ".", "dead/bury", "waiting/restart", "."}},
  {vm_phase::waiting,
   {"reviving/revive", ".", "dead/bury", "dead/bury", ".", ".", ".", ".", ".", ".", ".",
    "reviving/revive", ".", ".", ".", "."}},
  {vm_phase::reviving,
   {"reviving/join", "building/build", "dead/bury", "dead/bury", ".", ".", ".", "dead/bury", ".",
    ".", ".", "dead/bury", ".", ".", ".", "launching/launch"}},
  {vm_phase::dead,
   {"dead/reject", ".", "dead/join", "dead/join", ".", ".", ".", ".", ".", ".", ".", ".", ".", ".",
    ".", "."}},
}};

std::string name_of(vm_action action) {
  switch (action) {
    case vm_action::ignore: return "ignore";
    case vm_action::reject: return "reject";
    case vm_action::join: return "join";
    case vm_action::build: return "build";
    case vm_action::cancel: return "cancel";
    case vm_action::launch: return "launch";
    case vm_action::announce: return "announce";
    case vm_action::press_power_button: return "press_power_button";
    case vm_action::ask_to_quit: return "ask_to_quit";
    case vm_action::terminate: return "terminate";
    case vm_action::kill: return "kill";
    case vm_action::finish_streams: return "finish_streams";
    case vm_action::bury: return "bury";
    case vm_action::abandon: return "abandon";
    case vm_action::restart: return "restart";
    case vm_action::revive: return "revive";
  }
  return "invalid";
}

vmm_exit exit_with(death_reason reason, int code = 0) {
  return {exit_kind::code, code, reason, "as the VMM has it"};
}

} // namespace

CAF_TEST(every phase answers every input as expected) {
  for (const auto& [phase, cells] : expected)
    for (std::size_t i = 0; i < cells.size(); ++i) {
      auto input = static_cast<vm_input>(i);
      auto [next, action] = next_step(phase, input);
      auto cell = action == vm_action::ignore && next == phase
                    ? std::string{"."}
                    : to_string(next) + "/" + name_of(action);
      CAF_CHECK_EQUAL(to_string(phase) + " " + to_string(input) + ": " + cell,
                      to_string(phase) + " " + to_string(input) + ": " + cells[i]);
    }
}

CAF_TEST(a vmm that ends by itself is believed) {
  for (auto reason : {death_reason::shutdown, death_reason::reboot, death_reason::crash,
                      death_reason::start_failed, death_reason::killed}) {
    auto exit = judge_death(exit_with(reason), end_cause::none, true, "");
    CAF_CHECK_EQUAL(to_string(exit.reason), to_string(reason));
    CAF_CHECK_EQUAL(exit.detail, "as the VMM has it");
  }
}

CAF_TEST(a stop explains an end that says nothing of the guest) {
  for (auto reason : {death_reason::start_failed, death_reason::unknown, death_reason::killed})
    CAF_CHECK_EQUAL(to_string(judge_death(exit_with(reason), end_cause::stop, true, "").reason),
                    "killed");
}

CAF_TEST(a guest that heeds the stop has shut down) {
  auto exit = judge_death(exit_with(death_reason::shutdown), end_cause::stop, true, "");
  CAF_CHECK_EQUAL(to_string(exit.reason), "shutdown");
  exit = judge_death(exit_with(death_reason::crash), end_cause::stop, true, "");
  CAF_CHECK_EQUAL(to_string(exit.reason), "crash");
}

CAF_TEST(a vmm that never answered has failed to start) {
  vmm_exit killed{exit_kind::signal, 9, death_reason::killed, ""};
  auto exit = judge_death(killed, end_cause::start_expired, false, "");
  CAF_CHECK_EQUAL(to_string(exit.reason), "start_failed");
  CAF_CHECK_EQUAL(exit.value, 9);
}

CAF_TEST(a fault is a failed start before the guest ran and a crash after) {
  vmm_exit killed{exit_kind::signal, 9, death_reason::killed, ""};
  auto before = judge_death(killed, end_cause::fault, false, "speaks no QMP");
  CAF_CHECK_EQUAL(to_string(before.reason), "start_failed");
  CAF_CHECK_EQUAL(before.detail, "speaks no QMP");
  auto after = judge_death(killed, end_cause::fault, true, "internal error");
  CAF_CHECK_EQUAL(to_string(after.reason), "crash");
  CAF_CHECK_EQUAL(after.detail, "internal error");
}

CAF_TEST(a guest that was waited for in vain has hung) {
  vmm_exit killed{exit_kind::signal, 9, death_reason::killed, ""};
  auto exit = judge_death(killed, end_cause::hung, true, "said nothing within 30 s");
  CAF_CHECK_EQUAL(to_string(exit.reason), "hangup");
  CAF_CHECK_EQUAL(exit.detail, "said nothing within 30 s");
  CAF_CHECK_EQUAL(exit.value, 9);
}

CAF_TEST(a guest that ends by itself just then has not hung) {
  auto exit = judge_death(exit_with(death_reason::crash), end_cause::hung, true, "silence");
  CAF_CHECK_EQUAL(to_string(exit.reason), "crash");
  CAF_CHECK_EQUAL(exit.detail, "as the VMM has it");
}
