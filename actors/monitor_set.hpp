// SPDX-License-Identifier: Apache-2.0
// Whom an actor monitors, and for how many reasons.
#pragma once

#include <caf/actor_addr.hpp>
#include <caf/local_actor.hpp>

#include <cstddef>
#include <map>

namespace crosvisor::actors {

/// Monitors each actor once, until the last reason for it is gone. Without the count, giving up one
/// reason would end the monitoring for all, and repeated ones would pile up.
class monitor_set {
public:
  explicit monitor_set(caf::local_actor* self) : self_(self) {}

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

} // namespace crosvisor::actors
