// SPDX-License-Identifier: Apache-2.0
// The front door: what a host application spawns.
#pragma once

#include "crosvisor/actors/cid_pool.hpp"
#include "crosvisor/actors/timeouts.hpp"
#include "crosvisor/io/backend.hpp"
#include "crosvisor/messages/interfaces.hpp"

namespace crosvisor {

struct service_options {
  actors::cid_range cids;
  actors::vm_timeouts timeouts;
};

/// How long a guest gets to heed its power button when nobody says otherwise.
inline constexpr caf::timespan default_grace = std::chrono::seconds{10};

/// The longest that the stop ladder takes, and with it a drain, for a guest that gets `grace`.
caf::timespan longest_stop(const actors::vm_timeouts& timeouts, caf::timespan grace);

/// Spawns the service in `system`, whose configuration went through register_types(). To end it,
/// send (drain_atom, grace) and wait for the answer, then send it an exit message; without the
/// drain the exit kills all VMs. `host` must outlive the actor system.
service_actor spawn_service(caf::actor_system& system, const io::backend& host,
                            const service_options& options);

} // namespace crosvisor
