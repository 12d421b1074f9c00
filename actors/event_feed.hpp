// SPDX-License-Identifier: Apache-2.0
// Who is told of a VM, and what was said last.
#pragma once

#include "crosvisor/actors/monitor_set.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::actors {

/// Numbers one VM's events and sends them to its subscribers. Part of the supervisor's state: uses
/// the actor that it is given to send and to monitor, and none of it blocks on a slow subscriber.
class event_feed {
public:
  /// @param monitors outlives this.
  event_feed(vm_supervisor_actor::pointer self, monitor_set& monitors)
      : self_(self), monitors_(monitors) {}

  /// Makes an event of what `info` says now, and sends it to all subscribers.
  void publish(const vm_info& info, vm_event_kind kind, std::string detail);

  /// The same for an event of the state itself, which late subscribers are sent first.
  void publish_state(const vm_info& info, std::string detail);

  /// Sends the last state event to `who`, and all that follow; once, however often it is repeated.
  void subscribe(const caf::strong_actor_ptr& who);
  void unsubscribe(const caf::strong_actor_ptr& who);

  /// A subscriber is gone.
  /// @returns whether it was one.
  bool forget(const caf::actor_addr& who);

private:
  void send_to_all(const vm_event& event);

  vm_supervisor_actor::pointer self_;
  monitor_set& monitors_;
  std::uint64_t seq_ = 0;
  vm_event last_state_event_;
  std::vector<subscriber_actor> subscribers_;
};

} // namespace crosvisor::actors
