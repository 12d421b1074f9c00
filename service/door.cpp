// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door.hpp"

#include "crosvisor/service/door/doorkeeper.hpp"

#include <utility>

namespace crosvisor {

door_actor spawn_door(caf::actor_system& system, door_options options) {
  return system.spawn(door::doorkeeper, std::move(options));
}

} // namespace crosvisor
