// SPDX-License-Identifier: Apache-2.0
// Who is told of a VM, and what was said last.
#pragma once

#include "crosvisor/actors/monitor_set.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/messages/vm_history.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
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

  /// Goes on where `history` ends, of an adopted VM: its events are about to be published again
  /// from the beginning of the life that its keeper has, the one after so many restarts, and what
  /// was told of that life is left. The others are kept for the first subscriber, so that it misses
  /// none.
  void resume(const vm_history& history, std::uint32_t restarts);

  /// Makes an event of what `info` says now, and sends it to all subscribers. An event of the state
  /// itself is also what late subscribers are sent first; `restarting` ends a life.
  void publish(const vm_info& info, vm_event_kind kind, std::string detail,
               std::vector<vm_step> steps = {});

  /// The last event of the state itself.
  const vm_event& last_state_event() const noexcept { return last_state_event_; }

  /// Sends the last state event to `who`, and all that follow; once, however often it is repeated.
  /// The first subscriber is also sent what nobody has heard.
  void subscribe(const caf::strong_actor_ptr& who);
  void unsubscribe(const caf::strong_actor_ptr& who);

  /// A subscriber is gone.
  /// @returns whether it was one.
  bool forget(const caf::actor_addr& who);

private:
  /// How many events are kept for the first subscriber; the oldest go first.
  static constexpr std::size_t max_unheard = 64;

  /// Whether a service before this one told it, or what stands for it.
  bool was_told(vm_event_kind kind) const;
  void send_to_all(vm_event event);
  void send_unheard(const subscriber_actor& to);

  vm_supervisor_actor::pointer self_;
  monitor_set& monitors_;
  std::uint64_t seq_ = 0;
  vm_event last_state_event_;
  std::vector<vm_event_kind> told_; ///< Of the present life, by a service before this one.
  bool life_was_told_ = false;      ///< The whole of it, with its end.
  bool keeps_unheard_ = false;      ///< Until the first subscriber is there.
  std::deque<vm_event> unheard_;
  std::vector<subscriber_actor> subscribers_;
};

} // namespace crosvisor::actors
