// SPDX-License-Identifier: Apache-2.0
// What a supervisor asks of its VMM while the VM runs, and how the answers come back.
#include "crosvisor/actors/vm_supervisor.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace crosvisor::actors {

namespace {

vmm_answer answer_of(std::uint64_t id, const io::failure& why) {
  return {id, false, why.code, why.what, {}, nullptr};
}

caf::error error_of(const vmm_answer& answer) {
  auto code = answer.code == ETIMEDOUT ? vm_errc::timed_out : vm_errc::vmm_refused;
  return caf::make_error(code, answer.what);
}

caf::error connect_error_of(const vmm_answer& answer) {
  switch (answer.code) {
    case ECONNREFUSED: return caf::make_error(vm_errc::connection_refused, answer.what);
    case ETIMEDOUT: return caf::make_error(vm_errc::timed_out, answer.what);
    case ENOTCONN: return caf::make_error(vm_errc::wrong_state, answer.what);
    case ENODEV: return caf::make_error(vm_errc::unsupported, answer.what);
    default: return caf::make_error(vm_errc::io_failed, answer.what);
  }
}

/// What the backend allows.
std::chrono::milliseconds connect_bound(caf::timespan wanted, caf::timespan otherwise) {
  using namespace std::chrono;
  auto bound = duration_cast<milliseconds>(wanted > caf::timespan::zero() ? wanted : otherwise);
  return std::clamp(bound, milliseconds{1}, duration_cast<milliseconds>(hours{1}));
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
                    pause_hang_watch(suspend);
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
    caf::anon_send(self,
                   got ? vmm_answer{id, true, 0, {}, *got, nullptr} : answer_of(id, got.why()));
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

caf::result<vsock_socket> vm_supervisor_state::connect(std::uint32_t port, caf::timespan bound) {
  if (port < first_unprivileged_port && !privileged_ports_)
    return caf::make_error(vm_errc::denied, "port " + std::to_string(port) + " is below "
                                              + std::to_string(first_unprivileged_port)
                                              + ", and needs a right of its own");
  if (!streams_)
    return no_vsock();
  if (phase_ != vm_phase::running)
    return not_now("connect to");
  auto promise = self_->make_response_promise<vsock_socket>();
  auto id = answers_.await([promise](const vmm_answer& answer) mutable {
    if (answer.done)
      promise.deliver(answer.socket);
    else
      promise.deliver(connect_error_of(answer));
  });
  process_->connect_vsock(
    port, connect_bound(bound, timeouts_.connect),
    [self = vm_supervisor_actor{self_}, id](io::result<io::stream_socket> got) {
      caf::anon_send(self, got ? vmm_answer{id, true, 0, {}, {}, *got} : answer_of(id, got.why()));
    });
  return promise;
}

io::vmm_process::completion vm_supervisor_state::completion(pending_answers::handler handle) {
  auto id = answers_.await(std::move(handle));
  return [self = vm_supervisor_actor{self_}, id](io::result<void> done) {
    caf::anon_send(self,
                   done ? vmm_answer{id, true, 0, {}, {}, nullptr} : answer_of(id, done.why()));
  };
}

io::vmm_process::completion vm_supervisor_state::rung() {
  return completion([this, step = step_](const vmm_answer& answer) {
    if (!answer.done && step == step_)
      apply(vm_input::refused);
  });
}

} // namespace crosvisor::actors
