// SPDX-License-Identifier: Apache-2.0
// How a supervisor is made, and which message does what.
#include "crosvisor/actors/vm_supervisor.hpp"

#include <caf/send.hpp>

#include <utility>

namespace crosvisor::actors {

namespace {

/// As report_to() in vm_supervisor.cpp.
io::stream_callbacks hear_guest(const vm_supervisor_actor& self, std::uint32_t life) {
  return {
    [self, life](payload_status line) {
      caf::anon_send(self, status_atom::value, life, std::move(line));
    },
    [self, life](std::string what) {
      caf::anon_send(self, status_atom::value, life, std::move(what));
    },
  };
}

} // namespace

vm_info describe_new_vm(vm_cid cid, const vm_config& config, const vmm_choice& choice) {
  vm_info info;
  info.cid = cid;
  info.name = config.name;
  info.vmm = choice.vmm;
  info.accel = choice.accel;
  info.memory_mib = config.memory_mib;
  info.cpus = config.cpus;
  info.created_ms = unix_time_ms();
  return info;
}

void vm_supervisor_state::down(const caf::actor_addr& who) {
  monitors_.forget(who);
  feed_.forget(who);
  readers_.forget(who);
}

void vm_supervisor_state::begin(vm_supervisor_options options) {
  launcher_ = std::move(options.launcher);
  timeouts_ = options.timeouts;
  registry_ = std::move(options.registry);
  request_ = std::move(options.request);
  info_ = std::move(options.info);
  notes_ = std::move(request_.notes);
  privileged_ports_ = options.privileged_ports;
  images_ = std::move(options.images);
  policy_ = request_.config.restart;
  plan_ = restart_plan{timeouts_};
  claims_cid_ = request_.vsock && *request_.vsock;
  stream_factory_ = std::move(options.streams);
  steps_ = std::move(options.steps);
  make_streams();
  self_->set_down_handler([this](caf::down_msg& gone) { down(gone.source); });
  // An answer that its receiver did not expect comes back as an error. No VM dies of that.
  self_->set_error_handler([this](caf::error& what) {
    log::debug(about(), "vm {} was sent an error: {}", info_.cid, to_string(what));
  });
  if (options.past)
    return adopt(std::move(*options.past));
  note(owner_note, encode_owner(info_.owner));
  note(created_note, std::to_string(info_.created_ms));
  set_state(vm_state::not_started);
}

void vm_supervisor_state::make_streams() {
  if (!stream_factory_)
    return;
  streams_ = stream_factory_->make_streams(hear_guest(vm_supervisor_actor{self_}, info_.restarts));
  readers_.read_from(streams_);
}

void vm_supervisor_state::tick(std::uint64_t step) {
  if (step != step_)
    return;
  if (phase_ == vm_phase::asking_guest)
    press_power_button();
  if (phase_ == vm_phase::reviving)
    go_on_reviving();
}

vm_supervisor_actor::behavior_type
vm_supervisor_state::make_behavior(vm_supervisor_options options) {
  begin(std::move(options));
  return {
    [this](start_atom) { return start(); },
    [this](stop_atom, caf::timespan grace) { return stop(vm_input::stop, grace); },
    [this](kill_atom) { return stop(vm_input::kill, caf::timespan::zero()); },
    [this](suspend_atom) { return pause(io::vmm_request::suspend); },
    [this](resume_atom) { return pause(io::vmm_request::resume); },
    [this](caf::get_atom, balloon_atom) { return get_balloon(); },
    [this](caf::put_atom, balloon_atom, std::uint64_t size) { return set_balloon(size); },
    [this](caf::connect_atom, std::uint32_t port, caf::timespan bound) {
      return connect(port, bound);
    },
    [this](caf::open_atom, output_atom) { return open_output(); },
    [this](caf::subscribe_atom, output_atom) { return subscribe_to_output(); },
    [this](credit_atom, std::uint64_t bytes) { readers_.grant(self_->current_sender(), bytes); },
    [this](caf::unsubscribe_atom, output_atom) { readers_.unsubscribe(self_->current_sender()); },
    [this](note_atom, std::string& key, std::string& value) {
      note(std::move(key), std::move(value));
    },
    [this](caf::get_atom, state_atom) { return shown(); },
    [this](caf::subscribe_atom) {
      feed_.subscribe(self_->current_sender());
      return shown();
    },
    [this](caf::unsubscribe_atom) { feed_.unsubscribe(self_->current_sender()); },
    [this](vm_step& step) { step_done(std::move(step)); },
    [this](up_atom, std::int32_t pid) { up(pid); },
    [this](failed_atom, caf::error& why) { launch_failed(std::move(why)); },
    [this](fault_atom, std::string& what) { fault(std::move(what)); },
    [this](exited_atom, vmm_exit& exit) { exited(std::move(exit)); },
    [this](caf::connect_atom, std::uint32_t port, vsock_socket& socket) {
      take_connection(port, std::move(socket));
    },
    [this](status_atom, std::uint32_t life, payload_status& line) {
      take_status(life, std::move(line));
    },
    [this](status_atom, std::uint32_t life, const std::string& what) {
      take_bad_status(life, what);
    },
    [this](finished_atom, std::uint32_t life) { streams_done(life); },
    [this](synced_atom) { synced(); },
    [this](hangup_atom, std::uint64_t stretch) { hung(stretch); },
    [this](const vmm_answer& answer) { answers_.handle(answer); },
    [this](expired_atom, std::uint64_t step) {
      if (phase_ == vm_phase::dead && step == step_)
        self_->quit();
      else
        expired(step);
    },
    [this](caf::tick_atom, std::uint64_t step) { tick(step); },
    [this](caf::delete_atom) { released(); },
    [this](drain_atom, caf::timespan grace) { drain(grace); },
    [this](leave_atom) { leave(); },
  };
}

vm_supervisor_actor::behavior_type
vm_supervisor(vm_supervisor_actor::stateful_pointer<vm_supervisor_state> self,
              vm_supervisor_options options) {
  return self->state.make_behavior(std::move(options));
}

} // namespace crosvisor::actors
