// SPDX-License-Identifier: Apache-2.0
// A door that knows a few answers, to have something to serve.
#pragma once

#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/caller_directory.hpp"

#include <caf/actor_system.hpp>

#include <cstddef>
#include <memory>

namespace crosvisor::tests {

/// Answers (list) with `vms` VMs, (get, host) with the number of those that watch in `cpus`, and
/// (get, name) with a VM whose owner is the sender, as `callers` know it; denied where they don't.
/// Whoever watches is told one event, by another actor. All else is an error.
door_actor spawn_stub_door(caf::actor_system& system,
                           std::shared_ptr<const caller_directory> callers, std::size_t vms = 1);

} // namespace crosvisor::tests
