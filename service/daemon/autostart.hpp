// SPDX-License-Identifier: Apache-2.0
// The VMs that the operator wants whenever the daemon runs.
#pragma once

#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/daemon/daemon_config.hpp"
#include "crosvisor/service/door.hpp"

#include <caf/actor_system.hpp>

#include <vector>

namespace crosvisor {

/// Creates those of whose name there is none among `there`, in order. They are as a door adopts
/// them: held, so that nobody needs to refer to them. One that can't be created is said so in the
/// log, and the others go on.
///
/// Its files are opened as the daemon's user, and relative to its configuration. That is read only
/// if nobody but root and the daemon's user can have written it. Blocks as opening files does.
std::vector<adopted_vm> create_autostart_vms(caf::actor_system& system,
                                             const service_actor& service,
                                             const std::vector<autostart_vm>& wanted,
                                             const std::vector<adopted_vm>& there);

/// Starts them, each once the one before runs or could not be started, or `bound` is over; then
/// ends. It is said in the log how each went.
void spawn_autostart(caf::actor_system& system, const std::vector<adopted_vm>& vms,
                     caf::timespan bound);

} // namespace crosvisor
