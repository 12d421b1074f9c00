// SPDX-License-Identifier: Apache-2.0
// The actor that tells the service manager how the service is.
#pragma once

#include "crosvisor/messages/interfaces.hpp"

#include <caf/actor_system.hpp>
#include <caf/timespan.hpp>

#include <functional>
#include <optional>
#include <string>

namespace crosvisor {

/// Whoever knows how the service is.
using pulse_actor = caf::typed_actor<
  // REMARK on the status: these words follow the number of VMs, until other ones come.
  caf::reacts_to<caf::put_atom, std::string>,
  // Time to LOOK again.
  caf::reacts_to<caf::tick_atom>>;

struct pulse_options {
  service_actor service;
  /// Called with assignments of sd_notify(3), on the actor's thread; it may not block.
  std::function<void(std::string)> notify;
  /// How often the service manager wants to be sure; none: it does not watch.
  std::optional<caf::timespan> watchdog;
};

/// How often the status is looked at.
inline constexpr caf::timespan status_interval = std::chrono::seconds{1};

/// Asks the service for its VMs every second, or twice in a shorter watchdog's interval, one
/// question at a time. The answer is the STATUS=, told when it changes, and at half of the
/// watchdog's interval a WATCHDOG=1: it has gone through the service and its registry, so that a
/// service that is stuck is found out. Ends when it is sent an exit.
pulse_actor spawn_pulse(caf::actor_system& system, pulse_options options);

} // namespace crosvisor
