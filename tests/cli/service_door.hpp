// SPDX-License-Identifier: Apache-2.0
// A door that lets everybody through to a service.
#pragma once

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/tests/cli/door_answers.hpp"

#include <map>

namespace crosvisor::tests {

/// What such a door knows.
struct passed_through {
  std::map<vm_cid, vm_actor> vms;
  /// The descriptors that were opened, by their tickets.
  std::map<ticket, passed_fd> opened;
};

/// Answers that are a service's. There are no descriptors with requests.
inline std::shared_ptr<door_answers> answers_of(const service_actor& service,
                                                const std::shared_ptr<passed_through>& known) {
  using door = door_answers::door;
  auto answers = std::make_shared<door_answers>();
  auto bound = std::chrono::minutes{1440};
  answers->create = [=](door self, const vm_config& config,
                        const ticket_list&) -> caf::result<vm_info> {
    auto promise = self->make_response_promise<vm_info>();
    self
      ->request(service, bound, create_atom::value, config, std::make_shared<io::descriptor_set>())
      .then(
        [=](const vm_actor& vm, const vm_info& info) mutable {
          known->vms[info.cid] = vm;
          promise.deliver(info);
        },
        [=](caf::error& why) mutable { promise.deliver(std::move(why)); });
    return promise;
  };
  answers->start = [=](door self, vm_cid cid) -> caf::result<vm_info> {
    return self->delegate(known->vms.at(cid), start_atom::value);
  };
  answers->stop = [=](door self, vm_cid cid, caf::timespan grace) -> caf::result<vm_info> {
    return self->delegate(known->vms.at(cid), stop_atom::value, grace);
  };
  answers->kill = [=](door self, vm_cid cid) -> caf::result<vm_info> {
    return self->delegate(known->vms.at(cid), kill_atom::value);
  };
  answers->subscribe = [=](door self, vm_cid cid) -> caf::result<vm_info> {
    return self->delegate(known->vms.at(cid), caf::subscribe_atom::value);
  };
  answers->subscribe_after = [=](door self, vm_cid cid,
                                 std::uint64_t) -> caf::result<caf::ok_atom> {
    auto to = caf::actor_cast<subscriber_actor>(self->current_sender());
    self->spawn<caf::linked>([=, vm = known->vms.at(cid)](
                               subscriber_actor::pointer relay) -> subscriber_actor::behavior_type {
      relay->request(vm, bound, caf::subscribe_atom::value).then([](const vm_info&) {});
      return {[=](const vm_event& event) { relay->send(to, event); }};
    });
    return caf::ok_atom::value;
  };
  answers->open_output = [=](door self, vm_cid cid) -> caf::result<ticket> {
    auto promise = self->make_response_promise<ticket>();
    self->request(known->vms.at(cid), bound, caf::open_atom::value, output_atom::value)
      .then(
        [=](const passed_fd& fd) mutable {
          known->opened["output"] = fd;
          promise.deliver(ticket{"output"});
        },
        [=](caf::error& why) mutable { promise.deliver(std::move(why)); });
    return promise;
  };
  answers->hold = [=](door self, vm_cid cid) -> caf::result<vm_info> {
    return self->delegate(known->vms.at(cid), caf::get_atom::value, state_atom::value);
  };
  return answers;
}

} // namespace crosvisor::tests
