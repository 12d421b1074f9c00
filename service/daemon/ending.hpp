// SPDX-License-Identifier: Apache-2.0
// The actor that knows when the daemon has to end.
#pragma once

#include "crosvisor/messages/interfaces.hpp"

#include <caf/actor_system.hpp>
#include <caf/timespan.hpp>

#include <functional>
#include <string>

namespace crosvisor {

/// Whoever ends the daemon.
using ending_actor = caf::typed_actor<
  // STOP: the first one drains the service, with so much grace for guests and this bound for all;
  // a second one ends it at once.
  caf::reacts_to<stop_atom, caf::timespan, caf::timespan>,
  // LEAVE the VMs to their keepers, within this bound; after a stop, in vain.
  caf::reacts_to<leave_atom, caf::timespan>>;

/// Why a daemon ends.
enum class daemon_end : std::uint8_t {
  drained, ///< It was stopped, and nothing is left.
  expired, ///< It was stopped, and the bound was not enough, or a drain failed.
  hurried, ///< It was stopped twice.
  left,    ///< It has left its VMs to their keepers.
  broken,  ///< Its service or its door is gone.
};

struct ending_options {
  service_actor service;
  /// What the daemon can't be without, the service included.
  std::vector<caf::strong_actor_ptr> vital;
  /// Called once, on the actor's thread; it may not block.
  std::function<void(daemon_end, std::string why)> ended;
};

/// Monitors what the daemon can't be without. Ends with its one call of `ended`.
ending_actor spawn_ending(caf::actor_system& system, ending_options options);

} // namespace crosvisor
