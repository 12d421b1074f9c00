// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/run_session.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/request_errors.hpp"

#include <chrono>
#include <csignal>
#include <utility>

namespace crosvisor::cli {

namespace {

const char* signal_name(int number) {
  switch (number) {
    case SIGINT: return "Ctrl-C";
    case SIGTERM: return "SIGTERM";
    case SIGHUP: return "SIGHUP";
    default: return "a signal";
  }
}

std::string seconds_of(caf::timespan time) {
  auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  auto text = std::to_string(milliseconds / 1000);
  auto rest = std::to_string(milliseconds % 1000);
  return rest == "0" ? text + " s" : text + '.' + std::string(3 - rest.size(), '0') + rest + " s";
}

} // namespace

std::string run_session_state::vm_words() const {
  return "vm " + std::to_string(outcome_.vm.cid);
}

// -- starting -----------------------------------------------------------------

void run_session_state::created(vm_info info) {
  outcome_.vm = std::move(info);
  // Before anything happens to the VM, so that nothing is missed.
  ask<vm_info>(
    request_bound, [this](const vm_info&) { subscribed(); },
    [this](const caf::error& why) { lose(why); }, caf::subscribe_atom::value, outcome_.vm.cid);
}

void run_session_state::subscribed() {
  if (!options_.no_start)
    return open_output();
  start_answered_ = true;
  stops_ > 0 ? stop_or_kill() : hold();
}

void run_session_state::start() {
  if (stops_ > 0) {
    start_answered_ = true;
    return stop_or_kill();
  }
  if (options_.timeout > caf::timespan::zero())
    self_->delayed_send(self_, options_.timeout, expired_atom::value);
  ask<vm_info>(
    start_bound, [this](const vm_info&) { start_answered(); },
    [this](const caf::error& why) {
      if (!errc_of(why))
        return lose(why);
      start_error_ = why;
      start_answered_ = true;
      end_when_done();
    },
    start_atom::value, outcome_.vm.cid);
}

void run_session_state::start_answered() {
  start_answered_ = true;
  if (options_.detach && stops_ == 0 && !outcome_.death)
    return hold();
  end_when_done();
}

void run_session_state::hold() {
  ask<vm_info>(
    request_bound, [this](const vm_info&) { end(done, ""); },
    [this](const caf::error& why) {
      // A VM that has died since tells more by its event.
      if (errc_of(why) != vm_errc::wrong_state)
        end(exit_code_of_error(why), vm_words() + " can't be held: " + words_of_error(why));
      else
        options_.detach = false;
    },
    hold_atom::value, outcome_.vm.cid);
}

// -- stopping -----------------------------------------------------------------

void run_session_state::take_signal(int number) {
  ++stops_;
  if (stops_ > 2)
    return;
  auto what = stops_ == 1 ? std::string{": stopping "} : std::string{": killing "};
  options_.say(signal_name(number) + what + (has_vm() ? vm_words() : std::string{"the VM"})
               + (stops_ == 1 ? "; once more kills it" : ""));
  if (has_vm())
    stop_or_kill();
}

void run_session_state::take_timeout() {
  if (outcome_.death)
    return;
  // A payload that is through has its result, however long its guest stays.
  timed_out_ = !payload_finished_;
  options_.say("--timeout: " + vm_words() + " has run for " + seconds_of(options_.timeout)
               + "; stopping it");
  if (++stops_ == 1)
    stop();
}

void run_session_state::stop_or_kill() {
  stops_ > 1 ? kill() : stop();
}

void run_session_state::stop() {
  if (has_door_)
    ask<vm_info>(
      options_.longest_stop + answer_slack, [](const vm_info&) {},
      [this](const caf::error& why) { lose(why); }, stop_atom::value, outcome_.vm.cid,
      options_.grace);
}

void run_session_state::kill() {
  if (has_door_)
    ask<vm_info>(
      options_.longest_stop + answer_slack, [](const vm_info&) {},
      [this](const caf::error& why) { lose(why); }, kill_atom::value, outcome_.vm.cid);
}

// -- the end ------------------------------------------------------------------

void run_session_state::take_event(const vm_event& event) {
  if (outcome_.death || event.cid != outcome_.vm.cid || event.seq <= last_seq_)
    return;
  last_seq_ = event.seq;
  last_number_ = event.number;
  payload_finished_ = event.payload.finished;
  options_.on_event(event);
  if (event.kind != vm_event_kind::dead)
    return;
  outcome_.death = event;
  end_when_done();
}

void run_session_state::end_when_done() {
  if (!outcome_.death || !start_answered_)
    return;
  const auto& death = *outcome_.death;
  run_end how{death.reason, death.exit, death.payload, timed_out_, std::nullopt};
  // Of these the event says start_failed alone; the answer knows whose fault it was.
  if (start_error_ && errc_of(*start_error_) != vm_errc::start_failed && stops_ == 0)
    how.start_error = errc_of(*start_error_);
  end(exit_code_of(how), how.start_error ? words_of_error(*start_error_) : "");
}

void run_session_state::lose(const caf::error& why) {
  if (!outcome_.death)
    end(exit_code_of_error(why), vm_words() + " is lost: " + words_of_error(why));
}

void run_session_state::end(int exit_code, std::string error) {
  if (std::exchange(ended_, true))
    return;
  outcome_.exit_code = exit_code;
  outcome_.error = std::move(error);
  options_.on_end(std::move(outcome_));
  self_->quit();
}

// -- the actor ----------------------------------------------------------------

run_session_actor::behavior_type run_session_state::make_behavior(run_session_options options) {
  options_ = std::move(options);
  self_->set_down_handler([this](const caf::down_msg& down) {
    if (down.source == options_.door.address())
      lose_door();
  });
  self_->monitor(options_.door);
  ask<vm_info>(
    request_bound, [this](vm_info& info) { created(std::move(info)); },
    [this](const caf::error& why) { end(exit_code_of_error(why), words_of_error(why)); },
    create_atom::value, options_.config, options_.files);
  return {
    [this](const vm_event& event) { take_event(event); },
    [this](signal_atom, std::int32_t number) { take_signal(number); },
    [this](expired_atom) { take_timeout(); },
    [this](const output_chunk& piece) { take_piece(piece); },
    [this](credit_atom, std::uint64_t bytes) { grant(bytes); },
    [this](attach_atom, const caf::strong_actor_ptr& door) { take_door(door); },
    [this](lost_atom) { give_up_door(); },
  };
}

run_session_actor::behavior_type
run_session(run_session_actor::stateful_pointer<run_session_state> self,
            run_session_options options) {
  return self->state.make_behavior(std::move(options));
}

} // namespace crosvisor::cli
