// SPDX-License-Identifier: Apache-2.0
// How a supervisor ends its VM, and what it does with one that has ended.
#include "crosvisor/actors/vm_supervisor.hpp"

#include "crosvisor/io/logged_events.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace crosvisor::actors {

namespace {

std::chrono::milliseconds to_milliseconds(caf::timespan time) {
  using std::chrono::milliseconds;
  return std::max(milliseconds::zero(), std::chrono::duration_cast<milliseconds>(time));
}

} // namespace

// -- stopping -----------------------------------------------------------------

caf::result<vm_info> vm_supervisor_state::stop(vm_input how, caf::timespan grace) {
  if (phase_ == vm_phase::dead)
    return info_;
  auto promise = self_->make_response_promise<vm_info>();
  stopping_.push_back(promise);
  end({end_cause::stop, how == vm_input::kill, to_milliseconds(grace)});
  return promise;
}

void vm_supervisor_state::end(vm_ending ending) {
  stopped_ = true;
  begin_end(ending);
  if (!replaying_)
    return go_on_ending(ending);
  if (!held_ || !held_->kill)
    held_ = ending;
}

void vm_supervisor_state::begin_end(const vm_ending& ending) {
  // So that there is no next life either when this process ends just now.
  if (phase_ == vm_phase::waiting)
    note(ending_note, encode_ending(ending));
  if (!is_ending_open())
    return;
  if (cause_ == end_cause::none)
    cause_ = ending.cause;
  if (cause_ == ending.cause && phase_ != vm_phase::killing)
    note(ending_note, encode_ending(ending));
}

void vm_supervisor_state::go_on_ending(const vm_ending& ending) {
  grace_ = ending.grace;
  apply(ending.kill ? vm_input::kill : vm_input::stop);
}

void vm_supervisor_state::ask_guest() {
  if (grace_ <= caf::timespan::zero()) {
    apply(vm_input::expired);
    return;
  }
  tell(vm_event_kind::stopping, "power button");
  arm(grace_);
  // A suspended guest would never see the button.
  if (std::exchange(info_.suspended, false))
    process_->ask(io::vmm_request::resume, completion([](const vmm_answer&) {}));
  press_power_button();
}

void vm_supervisor_state::press_power_button() {
  process_->ask(io::vmm_request::power_button, rung());
  self_->delayed_send(self_, timeouts_.press_again, caf::tick_atom::value, step_);
}

void vm_supervisor_state::ask_to_quit() {
  tell(vm_event_kind::stopping, "VMM stop");
  arm(timeouts_.quit);
  process_->ask(io::vmm_request::quit, rung());
}

void vm_supervisor_state::fault(std::string what) {
  log::info(about(), "vm {} can't go on: {}", info_.cid, what);
  if (cause_ == end_cause::none && is_ending_open()) {
    cause_ = end_cause::fault;
    fault_ = std::move(what);
  }
  apply(vm_input::fault);
}

void vm_supervisor_state::expired(std::uint64_t step) {
  if (step != step_)
    return;
  if (phase_ == vm_phase::launching)
    begin_end({end_cause::start_expired, true, {}});
  if (phase_ == vm_phase::building)
    launch_error_ = caf::make_error(vm_errc::timed_out, "the VM's images were not made in time");
  if (phase_ == vm_phase::finishing)
    log::warn(about(), "vm {} is dead, and what its guest sent last is not read yet", info_.cid);
  if (phase_ == vm_phase::reviving)
    return give_up(revive_problem_);
  apply(after(vm_input::expired));
}

// -- death --------------------------------------------------------------------

void vm_supervisor_state::exited(vmm_exit exit) {
  if (!is_ending_open())
    return;
  info_.exit = std::move(exit);
  info_.vmm_pid = 0;
  info_.suspended = false;
  apply(vm_input::exited);
}

void vm_supervisor_state::finish_streams() {
  streams_finished_ = true;
  if (!streams_) {
    apply(after(vm_input::streams_done));
    return;
  }
  arm(timeouts_.finish);
  streams_->finish([self = vm_supervisor_actor{self_}, life = info_.restarts] {
    caf::anon_send(self, finished_atom::value, life);
  });
}

void vm_supervisor_state::streams_done(std::uint32_t life) {
  if (life == info_.restarts)
    apply(after(vm_input::streams_done));
}

vmm_exit vm_supervisor_state::judged() const {
  if (between_lives_ && !given_up_.empty())
    return {exit_kind::none, 0, death_reason::infrastructure_error, given_up_};
  if (between_lives_)
    return {exit_kind::none, 0, death_reason::killed, "stopped before it was started again"};
  auto exit = info_.exit;
  if (!process_ && exit.kind == exit_kind::none) {
    // Nothing ever ran: what is judged is the stop alone.
    exit = {exit_kind::none, 0, death_reason::killed, "stopped before it was started"};
    if (launch_error_)
      exit = {exit_kind::none, 0, death_reason::start_failed, sentence_of(launch_error_)};
  }
  return judge_death(std::move(exit), cause_, had_started_, fault_);
}

void vm_supervisor_state::bury() {
  info_.exit = judged();
  info_.reason = info_.exit.reason;
  info_.suspended = false;
  info_.vmm_pid = 0;
  request_ = {};
  origin_.reset();
  // Whoever reads the output of a VM that never ran finds its end too.
  if (streams_ && !std::exchange(streams_finished_, true))
    streams_->finish([] {});
  if (!given_up_.empty()) {
    log::event(log::logged_event::vm_given_up, about(), "vm {} is not started again: {}", info_.cid,
               given_up_);
    tell(vm_event_kind::given_up, given_up_);
  }
  log::event(log::logged_event::vm_died, about(), "vm {} died: {} ({})", info_.cid,
             to_string(info_.reason), to_string(info_.exit));
  set_state(vm_state::dead, info_.exit.detail);
  answer_the_waiting();
  self_->delayed_send(self_, timeouts_.forget, expired_atom::value, ++step_);
  if (!process_)
    return released();
  release_process();
}

void vm_supervisor_state::release_process() {
  if (!std::exchange(releasing_, true))
    process_->release(
      [self = vm_supervisor_actor{self_}] { caf::anon_send(self, caf::delete_atom::value); });
}

void vm_supervisor_state::answer_the_waiting() {
  if (!launch_error_)
    launch_error_ = caf::make_error(vm_errc::start_failed, info_.exit.detail);
  for (auto& promise : std::exchange(starting_, {}))
    promise.deliver(launch_error_);
  for (auto& promise : std::exchange(stopping_, {}))
    promise.deliver(info_);
}

void vm_supervisor_state::released() {
  releasing_ = false;
  if (phase_ == vm_phase::reviving) {
    process_.reset();
    return go_on_reviving();
  }
  released_ = true;
  if (draining_)
    self_->quit();
}

void vm_supervisor_state::drain(caf::timespan grace) {
  draining_ = true;
  if (released_)
    return self_->quit();
  if (phase_ == vm_phase::dead)
    return;
  end({end_cause::stop, false, to_milliseconds(grace)});
}

} // namespace crosvisor::actors
