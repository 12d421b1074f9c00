// SPDX-License-Identifier: Apache-2.0
// The actor that measures processes for the door.
#pragma once

#include "crosvisor/messages/interfaces.hpp"

#include <caf/typed_event_based_actor.hpp>

namespace crosvisor::door {

/// Reads some of the kernel's files for each VM, so it is spawned detached. Monitors nobody and
/// ends with the door.
usage_reader_actor::behavior_type usage_reader(usage_reader_actor::pointer self);

} // namespace crosvisor::door
