// SPDX-License-Identifier: Apache-2.0
// Whom an actor monitors, and for how many reasons.
#pragma once

#include <caf/actor_addr.hpp>
#include <caf/local_actor.hpp>

#include <cstddef>
#include <map>

namespace crosvisor::actors {

/// Monitors each actor once, until the last reason for it is gone, or this. Without the count,
/// giving up one reason would end the monitoring for all, and repeated ones would pile up. An actor
/// that is monitored keeps a note of who does that, and with it the memory of one that has ended
/// long ago: so whoever monitors somebody who outlives it has to give that up.
class monitor_set {
public:
  /// A part of the actor's state, which ends before the actor does.
  explicit monitor_set(caf::local_actor* self) : self_(self) {}
  monitor_set(const monitor_set&) = delete;
  monitor_set& operator=(const monitor_set&) = delete;
  ~monitor_set() {
    for (const auto& [who, reasons] : reasons_)
      self_->demonitor(who);
  }

  void add(const caf::actor_addr& who) {
    if (++reasons_[who] == 1)
      self_->monitor(who);
  }

  void remove(const caf::actor_addr& who) {
    auto i = reasons_.find(who);
    if (i == reasons_.end() || --i->second > 0)
      return;
    reasons_.erase(i);
    self_->demonitor(who);
  }

  /// `who` is down.
  void forget(const caf::actor_addr& who) { reasons_.erase(who); }

private:
  caf::local_actor* self_;
  std::map<caf::actor_addr, std::size_t> reasons_;
};

/// The state of an actor that has no other.
struct monitoring {
  explicit monitoring(caf::local_actor* self) : monitors(self) {}
  monitor_set monitors;
};

} // namespace crosvisor::actors
