// SPDX-License-Identifier: Apache-2.0
// Runs one VM for `crosvisor run`, through a door: from its creation to its end.
#pragma once

#include "crosvisor/cli/door_request.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace crosvisor::cli {

using signal_atom = caf::atom_constant<caf::atom("signal")>;

/// How a run went.
struct run_outcome {
  int exit_code = 0;
  /// What went wrong where no event tells it; one sentence.
  std::string error;
  /// It is about the way to the service, not about what was to be run.
  bool lost = false;
  /// The VM, once it was created.
  vm_info vm;
  /// Its last event.
  std::optional<vm_event> death;
};

/// What a run_session works with. Its functions are called on the session's thread.
struct run_session_options {
  door_actor door;
  /// What the service is called when it is lost.
  std::string service;
  vm_config config;
  /// For the descriptors that `config` counts.
  ticket_list files;
  /// Only what it takes to have the VM run, or with `no_start` be there, held.
  bool detach = false;
  bool no_start = false;
  /// After so long the VM is stopped; zero means never.
  caf::timespan timeout = caf::timespan::zero();
  /// What a guest that is stopped gets to heed its power button.
  caf::timespan grace;
  /// The longest that a stop takes.
  caf::timespan longest_stop;
  /// Each event, as it comes, once.
  std::function<void(const vm_event&)> on_event;
  /// Takes the payload's output to read, before the start; not called where guests have no vsock.
  /// Empty: nobody wants it, or
  std::function<io::result<void>(const ticket&)> on_output;
  /// descriptors can't be passed, and the output comes in pieces: each of them, in order. What was
  /// consumed of them is granted anew by (credit_atom, bytes).
  std::function<void(const output_chunk&)> on_piece;
  /// How many bytes of pieces may be under way.
  std::uint64_t output_window = 0;
  /// The door is lost: whoever is told either sends the session another one, or gives it up. Empty:
  /// there is none.
  std::function<void()> on_lost;
  /// A sentence for the person who watches.
  std::function<void(const std::string&)> say;
  /// Called once, last.
  std::function<void(run_outcome)> on_end;
};

/// The session's actor.
using run_session_actor = subscriber_actor::extend<
  // The user wants the VM to END: stops it; the second time kills it.
  caf::reacts_to<signal_atom, std::int32_t>,
  // The time that the VM has is OVER.
  caf::reacts_to<expired_atom>,
  // A PIECE of the payload's output, as output_reader_actor's.
  caf::reacts_to<output_chunk>,
  // So many bytes of it were CONSUMED.
  caf::reacts_to<credit_atom, std::uint64_t>,
  // ANOTHER door_actor of the same service, after one was lost.
  caf::reacts_to<attach_atom, caf::strong_actor_ptr>,
  // There will be NONE.
  caf::reacts_to<lost_atom>>;

/// Creates the VM, subscribes, opens its output, starts it, and quits once it is dead, or held
/// where that is all, and on_end was called. As long as it lives it holds a reference: whoever
/// created a VM does.
class run_session_state {
public:
  static inline const char* name = "run-session";

  explicit run_session_state(run_session_actor::stateful_pointer<run_session_state> self)
      : self_(self) {}

  run_session_actor::behavior_type make_behavior(run_session_options options);

private:
  void created(vm_info info);
  void open_output();
  void take_output(const ticket& of);
  void subscribe_output();
  void output_failed(const caf::error& why);
  void grant(std::uint64_t bytes);
  void take_piece(const output_chunk& piece);
  void start();
  void start_answered();
  void hold();
  void take_event(const vm_event& event);
  void take_signal(int number);
  void take_timeout();
  void stop_or_kill();
  void stop();
  void kill();
  /// The door went down.
  void lose_door();
  void take_door(const caf::strong_actor_ptr& door);
  /// At the new door; nothing: the VM is dead, or even forgotten.
  void attached(const std::optional<vm_info>& info);
  void give_up_door();
  /// Ends the session once the VM is dead and its start was answered.
  void end_when_done();
  void end(int exit_code, std::string error);
  void lose(const caf::error& why);
  /// What comes of its output and of its start, or with no_start of being held alone.
  void subscribed();
  bool has_vm() const noexcept { return outcome_.vm.cid != no_cid; }
  std::string vm_words() const;

  /// Asks the present door; what a lost one leaves unanswered is forgotten.
  template <class T, class Then, class Else, class... Words>
  void ask(caf::timespan bound, Then then, Else otherwise, const Words&... words);

  run_session_actor::stateful_pointer<run_session_state> self_;
  run_session_options options_;
  run_outcome outcome_;
  std::optional<caf::error> start_error_;
  /// Counts doors.
  int door_ = 0;
  bool has_door_ = true;
  std::uint64_t last_seq_ = 0;
  /// vm_event::number of the last event.
  std::uint64_t last_number_ = 0;
  /// Where the next piece of output begins.
  std::uint64_t output_end_ = 0;
  bool wants_pieces_ = false;
  bool start_answered_ = false;
  bool ended_ = false;
  bool timed_out_ = false;
  bool payload_finished_ = false;
  /// How often the user wanted it to end; a timeout counts too.
  int stops_ = 0;
};

/// The actor's behaviour. Monitors the door.
run_session_actor::behavior_type
run_session(run_session_actor::stateful_pointer<run_session_state> self,
            run_session_options options);

template <class T, class Then, class Else, class... Words>
void run_session_state::ask(caf::timespan bound, Then then, Else otherwise, const Words&... words) {
  auto of = door_;
  self_->request(options_.door, bound, words...)
    .then([=](T& value) { then(value); },
          [=, this](caf::error& why) {
            if (of == door_ && has_door_ && !ended_)
              otherwise(why);
          });
}

} // namespace crosvisor::cli
