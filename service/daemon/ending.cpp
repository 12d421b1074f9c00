// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/ending.hpp"

#include "crosvisor/io/logging.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <utility>

namespace crosvisor {

namespace {

class ending_state {
public:
  using pointer = ending_actor::stateful_pointer<ending_state>;

  static inline const char* name = "ending";

  explicit ending_state(pointer self) : self_(self) {}

  ending_actor::behavior_type make_behavior(ending_options options);

private:
  void stop(caf::timespan grace, caf::timespan bound);
  void leave(caf::timespan bound);
  void end(daemon_end how, std::string why);

  pointer self_;
  ending_options options_;
  bool stopping_ = false;
};

void ending_state::stop(caf::timespan grace, caf::timespan bound) {
  if (std::exchange(stopping_, true))
    return end(daemon_end::hurried, "it was told twice");
  self_->request(options_.service, bound, drain_atom::value, grace)
    .then([this](caf::ok_atom) { end(daemon_end::drained, "nothing is left"); },
          [this](const caf::error& why) { end(daemon_end::expired, to_string(why)); });
}

void ending_state::leave(caf::timespan bound) {
  if (std::exchange(stopping_, true))
    return;
  self_->request(options_.service, bound, leave_atom::value)
    .then([this](caf::ok_atom) { end(daemon_end::left, "its VMs are their keepers'"); },
          [this](const caf::error& why) { end(daemon_end::expired, to_string(why)); });
}

void ending_state::end(daemon_end how, std::string why) {
  if (auto ended = std::exchange(options_.ended, nullptr))
    ended(how, std::move(why));
  options_ = {};
  self_->quit();
}

ending_actor::behavior_type ending_state::make_behavior(ending_options options) {
  options_ = std::move(options);
  self_->set_down_handler([this](const caf::down_msg& down) {
    if (!stopping_)
      return end(daemon_end::broken, to_string(down.reason));
    // A drain goes on without the door, and has no answer without the service.
    if (down.source == options_.service)
      end(daemon_end::expired, to_string(down.reason));
  });
  for (const auto& one : options_.vital)
    self_->monitor(caf::actor_cast<caf::actor_addr>(one));
  return {
    [this](stop_atom, caf::timespan grace, caf::timespan bound) { stop(grace, bound); },
    [this](leave_atom, caf::timespan bound) { leave(bound); },
  };
}

ending_actor::behavior_type ending(ending_state::pointer self, ending_options options) {
  return self->state.make_behavior(std::move(options));
}

} // namespace

ending_actor spawn_ending(caf::actor_system& system, ending_options options) {
  return system.spawn(ending, std::move(options));
}

} // namespace crosvisor
