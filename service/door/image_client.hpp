// SPDX-License-Identifier: Apache-2.0
// Has an image made for somebody in another process.
#pragma once

#include "crosvisor/actors/monitor_set.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace crosvisor::door {

struct image_client_options {
  service_actor service;
  /// Whoever wants the image, and to know how far it is; a stranger's.
  progress_actor client;
  /// In whose name that is told.
  doorkeeper_actor door;
  /// For the image.
  caf::timespan bound;
};

/// Asks the service for one image, which is cancelled when this actor goes down. Monitors the
/// client and the door, ends with the first of them, or when the image is made.
image_client_actor::behavior_type
image_client(image_client_actor::stateful_pointer<actors::monitoring> self,
             image_client_options options);

} // namespace crosvisor::door
