// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/vm_supervisor.hpp"

#include "crosvisor/io/logged_events.hpp"

#include <caf/send.hpp>

#include <utility>

namespace crosvisor::actors {

namespace {

vm_errc errc_of(io::launch_failure failure) {
  switch (failure) {
    case io::launch_failure::bad_files: return vm_errc::invalid_config;
    case io::launch_failure::host: return vm_errc::io_failed;
    case io::launch_failure::no_vmm: return vm_errc::vmm_unavailable;
  }
  return vm_errc::start_failed;
}

caf::timespan started_timeout_of(const vm_config& config, const vmm_choice& choice,
                                 const vm_timeouts& timeouts) {
  if (!config.guest_protocol)
    return caf::timespan::zero();
  if (config.started_timeout_s > 0)
    return std::chrono::seconds{config.started_timeout_s};
  auto slow = choice.accel == accel_kind::tcg || choice.nested;
  return slow ? timeouts.hangup_slow : timeouts.hangup;
}

std::string summary_of(const vm_info& info) {
  return to_string(info.vmm) + ", " + to_string(info.accel) + ", " + std::to_string(info.cpus)
         + (info.cpus == 1 ? " cpu, " : " cpus, ") + std::to_string(info.memory_mib) + " MiB";
}

vm_event_kind kind_of(vm_state state) {
  switch (state) {
    case vm_state::not_started: return vm_event_kind::created;
    case vm_state::starting: return vm_event_kind::starting;
    case vm_state::started: return vm_event_kind::started;
    case vm_state::ready: return vm_event_kind::ready;
    case vm_state::finished: return vm_event_kind::finished;
    case vm_state::dead: break;
  }
  return vm_event_kind::dead;
}

} // namespace

io::vmm_callbacks report_to(const vm_supervisor_actor& self) {
  return {
    [self](std::int32_t pid) { caf::anon_send(self, up_atom::value, pid); },
    [self](io::launch_failure failure, std::string what) {
      caf::anon_send(self, failed_atom::value, caf::make_error(errc_of(failure), std::move(what)));
    },
    [self](std::string what) { caf::anon_send(self, fault_atom::value, std::move(what)); },
    [self](vmm_exit exit) { caf::anon_send(self, exited_atom::value, std::move(exit)); },
    [self] { caf::anon_send(self, synced_atom::value); },
    [self](std::uint32_t port, io::stream_socket socket) {
      caf::anon_send(self, caf::connect_atom::value, port, vsock_socket{std::move(socket)});
    },
    [self](vm_step step) { caf::anon_send(self, std::move(step)); },
  };
}

// -- the table ----------------------------------------------------------------

bool vm_supervisor_state::apply(vm_input input) {
  auto [next, action] = next_step(phase_, input);
  if (action == vm_action::reject)
    return false;
  if (next != phase_) {
    log::debug(about(), "vm {} goes from {} to {} on {}", info_.cid, to_string(phase_),
               to_string(next), to_string(input));
    phase_ = next;
    // A timer of the phase that was left must not count in this one.
    ++step_;
  }
  act(action);
  return true;
}

void vm_supervisor_state::act(vm_action action) {
  switch (action) {
    case vm_action::ignore:
    case vm_action::reject:
    case vm_action::join: return;
    case vm_action::build: return build();
    case vm_action::cancel: return cancel_build();
    case vm_action::launch: return launch();
    case vm_action::announce: return announce();
    case vm_action::press_power_button: return ask_guest();
    case vm_action::ask_to_quit: return ask_to_quit();
    case vm_action::terminate:
      tell(vm_event_kind::stopping, "SIGTERM");
      arm(timeouts_.terminate);
      return process_->terminate();
    case vm_action::kill:
      tell(vm_event_kind::stopping, "SIGKILL");
      arm(timeouts_.kill);
      return process_->kill();
    case vm_action::abandon:
      info_.exit = {exit_kind::vanished, 0, death_reason::infrastructure_error,
                    "the VMM's process survives SIGKILL; it is stuck in the kernel"};
      cause_ = end_cause::none;
      return bury();
    case vm_action::finish_streams: return finish_streams();
    case vm_action::bury: return bury();
    case vm_action::restart: return restart();
    case vm_action::revive: return revive();
  }
}

void vm_supervisor_state::arm(caf::timespan bound) {
  self_->delayed_send(self_, bound, expired_atom::value, step_);
}

// -- starting -----------------------------------------------------------------

caf::result<vm_info> vm_supervisor_state::start() {
  auto first = phase_ == vm_phase::created;
  if (first)
    launch_error_ = keep_origin();
  auto promise = self_->make_response_promise<vm_info>();
  starting_.push_back(promise);
  if (launch_error_ && first) {
    apply(vm_input::kill);
  } else if (!apply(first && needs_images() ? vm_input::build : vm_input::start)) {
    starting_.pop_back();
    promise.deliver(not_now("start"));
  }
  return promise;
}

void vm_supervisor_state::begin_life() {
  set_state(vm_state::starting, summary_of(info_));
  arm(timeouts_.start);
  started_timeout_ = started_timeout_of(request_.config, request_.choice, timeouts_);
}

void vm_supervisor_state::launch() {
  begin_life();
  request_.streams = streams_;
  note_life();
  request_.notes = notes_;
  request_.owner = info_.owner;
  process_ = launcher_->launch(std::move(request_), report_to(self_));
}

void vm_supervisor_state::note_life() {
  keep_note(ending_note, "");
  if (!may_restart())
    return;
  plan_.begin(self_->clock().now());
  keep_note(restarts_note, std::to_string(info_.restarts));
  keep_note(plan_note, plan_.encode(self_->clock().now(), unix_time_ms()));
}

void vm_supervisor_state::note(std::string key, std::string value) {
  for (auto* life : {process_.get(), last_.get()})
    if (life != nullptr)
      life->note(key, value);
  keep_note(std::move(key), std::move(value));
}

void vm_supervisor_state::keep_note(std::string key, std::string value) {
  if (value.empty())
    notes_.erase(key);
  else
    notes_.insert_or_assign(std::move(key), std::move(value));
}

void vm_supervisor_state::step_done(vm_step step) {
  if (steps_.size() < io::max_launch_steps)
    steps_.push_back(std::move(step));
}

void vm_supervisor_state::up(std::int32_t pid) {
  info_.vmm_pid = pid;
  log::event(log::logged_event::vm_started, about(), "vm {} runs in vmm pid {}", info_.cid, pid);
  apply(vm_input::up);
}

void vm_supervisor_state::announce() {
  had_started_ = ever_started_ = true;
  forget_last_life();
  set_state(vm_state::started);
  for (auto& promise : std::exchange(starting_, {}))
    promise.deliver(info_);
  watch_for_hangs();
}

void vm_supervisor_state::launch_failed(caf::error why) {
  info_.exit = {exit_kind::none, 0, death_reason::start_failed, sentence_of(why)};
  launch_error_ = std::move(why);
  apply(after(vm_input::launch_failed));
}

// -- events -------------------------------------------------------------------

void vm_supervisor_state::set_state(vm_state state, std::string detail) {
  info_.state = state;
  // Before anybody learns of it, so that a list asked for then is not older than the news.
  self_->send(registry_, shown());
  feed_.publish(info_, kind_of(state), std::move(detail), std::exchange(steps_, {}));
}

void vm_supervisor_state::tell(vm_event_kind kind, std::string detail) {
  self_->send(registry_, shown());
  feed_.publish(info_, kind, std::move(detail));
}

std::string vm_supervisor_state::doing() const {
  if (replaying_)
    return " and being taken back";
  if (phase_ == vm_phase::finishing)
    return " and has ended";
  if (between_lives_)
    return " and waits to be started again";
  return phase_ > vm_phase::running && phase_ < vm_phase::finishing ? " and being stopped" : "";
}

caf::error vm_supervisor_state::not_now(const char* what) const {
  return caf::make_error(vm_errc::wrong_state, std::string{"can't "} + what + " VM "
                                                 + std::to_string(info_.cid) + ": it is "
                                                 + to_string(shown().state) + doing());
}

} // namespace crosvisor::actors
