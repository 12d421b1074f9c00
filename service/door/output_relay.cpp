// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/output_relay.hpp"

#include <caf/send.hpp>
#include <caf/typed_response_promise.hpp>

#include <utility>

namespace crosvisor::door {

output_relay_actor::behavior_type
output_relay(output_relay_actor::stateful_pointer<actors::monitoring> self,
             output_relay_options options) {
  self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
  self->set_default_handler(caf::drop);
  self->state.monitors.add(options.vm.address());
  self->state.monitors.add(options.reader.address());
  self->state.monitors.add(options.door.address());
  return {
    [options](output_chunk& piece) {
      caf::send_as(options.door, options.reader, std::move(piece));
    },
    [self, options](caf::subscribe_atom subscribe, output_atom output) {
      auto answer = self->make_response_promise<caf::ok_atom>();
      self->request(options.vm, options.bound, subscribe, output)
        .then([answer](caf::ok_atom ok) mutable { answer.deliver(ok); },
              [answer](caf::error& why) mutable { answer.deliver(std::move(why)); });
      return answer;
    },
    [self, options](credit_atom credit, std::uint64_t bytes) {
      self->send(options.vm, credit, bytes);
    },
  };
}

} // namespace crosvisor::door
