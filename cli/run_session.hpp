// SPDX-License-Identifier: Apache-2.0
// Runs one VM for `crosvisor run`: from its creation to its end.
#pragma once

#include "crosvisor/io/unique_fd.hpp"
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
  /// The VM, once it was created.
  vm_info vm;
  /// Its last event.
  std::optional<vm_event> death;
};

/// What a run_session works with. Its functions are called on the session's thread.
struct run_session_options {
  service_actor service;
  vm_config config;
  vm_files files;
  /// After so long the VM is stopped; zero means never.
  caf::timespan timeout = caf::timespan::zero();
  /// What a guest that is stopped gets to heed its power button.
  caf::timespan grace;
  /// The longest that a stop takes.
  caf::timespan longest_stop;
  /// Each event, as it comes.
  std::function<void(const vm_event&)> on_event;
  /// The payload's output to read, before the start; not called where guests have no vsock. Empty:
  /// nobody wants it.
  std::function<void(io::unique_fd)> on_output;
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
  caf::reacts_to<expired_atom>>;

/// Creates the VM, subscribes, opens its output, starts it, and quits once it is dead and on_end
/// was called.
class run_session_state {
public:
  static inline const char* name = "run-session";

  explicit run_session_state(run_session_actor::stateful_pointer<run_session_state> self)
      : self_(self) {}

  run_session_actor::behavior_type make_behavior(run_session_options options);

private:
  void created(vm_actor vm, vm_info info);
  void open_output();
  void start();
  void take_event(const vm_event& event);
  void take_signal(int number);
  void take_timeout();
  void stop();
  void kill();
  /// Ends the session once the VM is dead and its start was answered.
  void end_when_done();
  void end(int exit_code, std::string error);
  void lose(const caf::error& why);
  std::string vm_words() const;

  run_session_actor::stateful_pointer<run_session_state> self_;
  run_session_options options_;
  vm_actor vm_;
  run_outcome outcome_;
  std::optional<caf::error> start_error_;
  bool start_answered_ = false;
  bool ended_ = false;
  bool timed_out_ = false;
  bool payload_finished_ = false;
  /// How often the user wanted it to end; a timeout counts too.
  int stops_ = 0;
};

/// The actor's behaviour. Monitors the VM: if its actor is lost, so is the VM, and the session
/// ends.
run_session_actor::behavior_type
run_session(run_session_actor::stateful_pointer<run_session_state> self,
            run_session_options options);

} // namespace crosvisor::cli
