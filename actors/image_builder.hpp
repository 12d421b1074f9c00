// SPDX-License-Identifier: Apache-2.0
// The worker that makes images.
#pragma once

#include "crosvisor/io/image_builder.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>

namespace crosvisor::actors {

struct image_builder_state {
  static inline const char* name = "image-builder";
};

/// Announces itself to `pool`, does the jobs that the pool sends, one after the other, and sends
/// back what became of each. Blocks while it does one, so it is to be detached. Monitors nobody;
/// ends with the pool, which sends it an exit.
image_builder_actor::behavior_type
image_builder(image_builder_actor::stateful_pointer<image_builder_state> self,
              const image_builder_pool_actor& pool,
              const std::shared_ptr<io::image_builder>& builder);

} // namespace crosvisor::actors
