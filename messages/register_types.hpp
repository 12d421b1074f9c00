// SPDX-License-Identifier: Apache-2.0
// What a host application calls before it makes its actor system.
#pragma once

#include <caf/fwd.hpp>

namespace crosvisor {

/// Makes our message types and error category known to `config`. Call once, before the actor_system
/// is made from it. Our ids begin at first_type_id, so a host's own block may stand beside ours.
void register_types(caf::actor_system_config& config);

} // namespace crosvisor
