// SPDX-License-Identifier: Apache-2.0
// What a supervisor asks of its VMM while the VM runs, and how the answers come back.
#include "crosvisor/actors/vm_supervisor.hpp"

#include <caf/send.hpp>

#include <cerrno>
#include <utility>

namespace crosvisor::actors {

namespace {

vmm_answer answer_of(std::uint64_t id, const io::failure& why) {
  return {id, false, why.code == ETIMEDOUT, why.what, {}};
}

caf::error error_of(const vmm_answer& answer) {
  return caf::make_error(answer.timed_out ? vm_errc::timed_out : vm_errc::vmm_refused, answer.what);
}

} // namespace

caf::result<vm_info> vm_supervisor_state::pause(io::vmm_request what) {
  auto suspend = what == io::vmm_request::suspend;
  if (phase_ != vm_phase::running)
    return not_now(suspend ? "suspend" : "resume");
  if (info_.suspended == suspend)
    return info_;
  auto promise = self_->make_response_promise<vm_info>();
  process_->ask(what, completion([this, suspend, promise](const vmm_answer& answer) mutable {
                  if (!answer.done) {
                    promise.deliver(error_of(answer));
                    return;
                  }
                  if (phase_ == vm_phase::running && info_.suspended != suspend) {
                    info_.suspended = suspend;
                    tell(suspend ? vm_event_kind::suspended : vm_event_kind::resumed);
                  }
                  promise.deliver(info_);
                }));
  return promise;
}

caf::result<balloon_info> vm_supervisor_state::get_balloon() {
  if (phase_ != vm_phase::running)
    return not_now("read the balloon of");
  auto promise = self_->make_response_promise<balloon_info>();
  auto id = answers_.await([promise](const vmm_answer& answer) mutable {
    if (answer.done)
      promise.deliver(answer.balloon);
    else
      promise.deliver(error_of(answer));
  });
  process_->get_balloon([self = vm_supervisor_actor{self_}, id](io::result<balloon_info> got) {
    caf::anon_send(self, got ? vmm_answer{id, true, false, {}, *got} : answer_of(id, got.why()));
  });
  return promise;
}

caf::result<caf::ok_atom> vm_supervisor_state::set_balloon(std::uint64_t size_bytes) {
  if (phase_ != vm_phase::running)
    return not_now("set the balloon of");
  auto memory_bytes = std::uint64_t{info_.memory_mib} << 20;
  if (size_bytes > memory_bytes)
    return caf::make_error(vm_errc::invalid_config,
                           "balloon: " + std::to_string(size_bytes) + " bytes; at most the VM's "
                             + std::to_string(memory_bytes) + " are allowed");
  auto promise = self_->make_response_promise<caf::ok_atom>();
  process_->set_balloon(size_bytes, completion([promise](const vmm_answer& answer) mutable {
                          if (answer.done)
                            promise.deliver(caf::ok_atom::value);
                          else
                            promise.deliver(error_of(answer));
                        }));
  return promise;
}

io::vmm_process::completion vm_supervisor_state::completion(pending_answers::handler handle) {
  auto id = answers_.await(std::move(handle));
  return [self = vm_supervisor_actor{self_}, id](io::result<void> done) {
    caf::anon_send(self, done ? vmm_answer{id, true, false, {}, {}} : answer_of(id, done.why()));
  };
}

io::vmm_process::completion vm_supervisor_state::rung() {
  return completion([this, step = step_](const vmm_answer& answer) {
    if (!answer.done && step == step_)
      apply(vm_input::refused);
  });
}

} // namespace crosvisor::actors
