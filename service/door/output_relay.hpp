// SPDX-License-Identifier: Apache-2.0
// Reads a VM's output for a reader in another process.
#pragma once

#include "crosvisor/actors/monitor_set.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace crosvisor::door {

struct output_relay_options {
  vm_actor vm;
  /// Whoever reads; a stranger's.
  output_reader_actor reader;
  /// In whose name the pieces are sent.
  doorkeeper_actor door;
  /// For the VM to answer.
  caf::timespan bound;
};

/// Subscribes to one VM's output, grants what the reader grants, and sends each piece on in the
/// door's name, so that the VM's handle stays in this process. Monitors the VM, the reader and the
/// door, and ends with the first of them; what it had subscribed ends with it.
output_relay_actor::behavior_type
output_relay(output_relay_actor::stateful_pointer<actors::monitoring> self,
             output_relay_options options);

} // namespace crosvisor::door
