// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/run_session.hpp"

#include "crosvisor/cli/exit_code.hpp"

#include <caf/exit_reason.hpp>

#include <chrono>
#include <csignal>
#include <utility>

namespace crosvisor::cli {

namespace {

/// Creating allocates and starts nothing; subscribing is one message.
constexpr caf::timespan create_timeout = std::chrono::seconds{30};
/// The supervisor bounds a start itself, and this much later.
constexpr caf::timespan start_timeout = std::chrono::minutes{5};
/// What an answer may take besides the stop itself.
constexpr caf::timespan answer_slack = std::chrono::seconds{10};

std::optional<vm_errc> errc_of(const caf::error& why) {
  if (why.category() != caf::atom("crosvisor"))
    return std::nullopt;
  return static_cast<vm_errc>(why.code());
}

int exit_code_of_error(const caf::error& why) {
  if (auto code = errc_of(why))
    return exit_code_of(*code);
  return why == caf::sec::request_timeout ? exit_code::timed_out : exit_code::infrastructure;
}

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

void run_session_state::created(vm_actor vm, vm_info info) {
  vm_ = std::move(vm);
  outcome_.vm = std::move(info);
  self_->monitor(vm_);
  // Before anything happens to the VM, so that nothing is missed.
  self_->request(vm_, create_timeout, caf::subscribe_atom::value)
    .then([this](const vm_info&) { open_output(); }, [this](const caf::error& why) { lose(why); });
}

void run_session_state::open_output() {
  if (!options_.on_output)
    return start();
  self_->request(vm_, create_timeout, caf::open_atom::value, output_atom::value)
    .then(
      [this](const passed_fd& output) {
        options_.on_output(std::move(*output));
        start();
      },
      [this](const caf::error& why) {
        if (errc_of(why) == vm_errc::unsupported)
          return start();
        end(exit_code_of_error(why), "the payload's output can't be opened: " + sentence_of(why));
      });
}

void run_session_state::start() {
  if (stops_ > 0) {
    start_answered_ = true;
    return stops_ > 1 ? kill() : stop();
  }
  if (options_.timeout > caf::timespan::zero())
    self_->delayed_send(self_, options_.timeout, expired_atom::value);
  self_->request(vm_, start_timeout, start_atom::value)
    .then(
      [this](const vm_info&) {
        start_answered_ = true;
        end_when_done();
      },
      [this](const caf::error& why) {
        start_answered_ = true;
        if (!errc_of(why))
          return lose(why);
        start_error_ = why;
        end_when_done();
      });
}

// -- stopping -----------------------------------------------------------------

void run_session_state::take_signal(int number) {
  ++stops_;
  if (stops_ == 1) {
    options_.say(std::string{signal_name(number)} + ": stopping "
                 + (vm_ ? vm_words() : std::string{"the VM"}) + "; once more kills it");
    return vm_ ? stop() : void();
  }
  if (stops_ == 2) {
    options_.say(std::string{signal_name(number)} + ": killing "
                 + (vm_ ? vm_words() : std::string{"the VM"}));
    return vm_ ? kill() : void();
  }
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

void run_session_state::stop() {
  self_->request(vm_, options_.longest_stop + answer_slack, stop_atom::value, options_.grace)
    .then([](const vm_info&) {}, [this](const caf::error& why) { lose(why); });
}

void run_session_state::kill() {
  self_->request(vm_, options_.longest_stop + answer_slack, kill_atom::value)
    .then([](const vm_info&) {}, [this](const caf::error& why) { lose(why); });
}

// -- the end ------------------------------------------------------------------

void run_session_state::take_event(const vm_event& event) {
  if (outcome_.death)
    return;
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
  end(exit_code_of(how), how.start_error ? sentence_of(*start_error_) : "");
}

void run_session_state::lose(const caf::error& why) {
  if (!outcome_.death)
    end(exit_code_of_error(why), vm_words() + " is lost: " + sentence_of(why));
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
  self_->set_down_handler([this](const caf::down_msg& down) { lose(down.reason); });
  self_
    ->request(options_.service, create_timeout, create_atom::value, options_.config,
              std::move(options_.files))
    .then([this](vm_actor& vm, vm_info& info) { created(std::move(vm), std::move(info)); },
          [this](const caf::error& why) { end(exit_code_of_error(why), sentence_of(why)); });
  return {
    [this](const vm_event& event) { take_event(event); },
    [this](signal_atom, std::int32_t number) { take_signal(number); },
    [this](expired_atom) { take_timeout(); },
  };
}

run_session_actor::behavior_type
run_session(run_session_actor::stateful_pointer<run_session_state> self,
            run_session_options options) {
  return self->state.make_behavior(std::move(options));
}

} // namespace crosvisor::cli
