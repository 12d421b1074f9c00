// SPDX-License-Identifier: Apache-2.0
// The front door: what a host application spawns.
#pragma once

#include "crosvisor/actors/cid_pool.hpp"
#include "crosvisor/actors/timeouts.hpp"
#include "crosvisor/io/backend.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/messages/vm_history.hpp"

#include <map>

namespace crosvisor {

struct service_options {
  actors::cid_range cids;
  actors::vm_timeouts timeouts;
  actors::vsock_timeouts vsock_timeouts;
  /// How many images are made at a time.
  std::size_t image_workers = 4;
  /// How many image jobs may wait; more are refused.
  std::size_t max_waiting_images = 1024;
  /// Whether image builders have threads of their own. Without, what they do blocks the scheduler.
  bool detached_image_builders = true;
  /// Whether clients may connect to guests' ports below first_unprivileged_port.
  bool privileged_ports = false;
  /// What was told already of the VMs in backend::kept, by CID.
  std::map<vm_cid, vm_history> histories = {};
};

/// How long a guest gets to heed its power button when nobody says otherwise.
inline constexpr caf::timespan default_grace = std::chrono::seconds{10};

/// The longest that a stop takes, from its first rung to the last words of a dead guest, and with
/// it a drain, for a guest that gets `grace`.
caf::timespan longest_stop(const actors::vm_timeouts& timeouts, caf::timespan grace);

/// Spawns the service in `system`, whose configuration went through register_types(). It adopts the
/// VMs in backend::kept before it answers anything; the caller then clears that list, whose
/// descriptors would else hold CIDs beyond the end of their VMs. To end it, send
/// (drain_atom, grace) or (leave_atom) and wait for the answer, then send it an exit message;
/// without either the exit kills all VMs. Without a vsock listener or guest streams in `host` there
/// is no vsock for guests, without an image builder no images are made, and the rest works. `host`
/// must outlive the actor system.
service_actor spawn_service(caf::actor_system& system, const io::backend& host,
                            const service_options& options);

} // namespace crosvisor
