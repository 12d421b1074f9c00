// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/image_client.hpp"

#include <caf/send.hpp>
#include <caf/typed_response_promise.hpp>

#include <utility>

namespace crosvisor::door {

namespace {

template <class T, class... Words>
caf::typed_response_promise<T> make(image_client_actor::stateful_pointer<actors::monitoring> self,
                                    const image_client_options& options, Words... words) {
  auto answer = self->make_response_promise<T>();
  self->request(options.service, options.bound, create_atom::value, std::move(words)...)
    .then(
      [self, answer](T& made) mutable {
        answer.deliver(std::move(made));
        self->quit();
      },
      [self, answer](caf::error& why) mutable {
        answer.deliver(std::move(why));
        self->quit();
      });
  return answer;
}

} // namespace

image_client_actor::behavior_type
image_client(image_client_actor::stateful_pointer<actors::monitoring> self,
             image_client_options options) {
  self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
  self->set_default_handler(caf::drop);
  self->state.monitors.add(options.client.address());
  self->state.monitors.add(options.door.address());
  return {
    [options](const job_progress& far) { caf::send_as(options.door, options.client, far); },
    [self, options](create_atom, partition_spec& spec, vm_files& files) {
      return make<caf::ok_atom>(self, options, std::move(spec), std::move(files));
    },
    [self, options](create_atom, idsig_spec& spec, vm_files& files) {
      return make<idsig_info>(self, options, std::move(spec), std::move(files),
                              progress_actor{self});
    },
  };
}

} // namespace crosvisor::door
