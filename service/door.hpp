// SPDX-License-Identifier: Apache-2.0
// The door: whatever comes from other processes passes through it.
#pragma once

#include "crosvisor/io/log/kept_log_reader.hpp"
#include "crosvisor/io/tickets/ticket_store.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/caller_directory.hpp"
#include "crosvisor/service/permissions.hpp"

#include <caf/actor_system.hpp>

#include <chrono>
#include <cstddef>
#include <memory>

namespace crosvisor {

/// The grants in force, which a reload replaces. Any thread.
class shared_grants {
public:
  explicit shared_grants(permission_grants grants);
  std::shared_ptr<const permission_grants> get() const;
  void set(permission_grants grants);

private:
  std::shared_ptr<const permission_grants> grants_; // By std::atomic_load and std::atomic_store.
};

struct door_options {
  service_actor service;
  std::shared_ptr<const caller_directory> callers;
  std::shared_ptr<shared_grants> grants;
  std::shared_ptr<io::ticket_store> tickets;
  /// Null: kept logs can't be read.
  std::shared_ptr<io::kept_log_reader> logs;
  /// What a guest gets to heed its power button when the last reference is gone.
  caf::timespan stop_grace = std::chrono::seconds{10};
  /// How long the reference of a lost connection is kept.
  caf::timespan reference_grace = std::chrono::seconds{10};
  /// The longest that a stop takes; see longest_stop().
  caf::timespan longest_stop = std::chrono::minutes{1};
  /// How many events are kept for those who watch with history.
  std::size_t kept_events = 1024;
  /// How many VMs one principal may have, dead ones that are not forgotten included, and how many
  /// may subscribe or watch. More are refused as busy.
  std::size_t vms_per_principal = 1024;
  std::size_t subscriptions_per_principal = 256;
};

/// Spawns the door. It monitors the service and ends with it. A message that it does not know is
/// dropped without a word in the log.
door_actor spawn_door(caf::actor_system& system, door_options options);

} // namespace crosvisor
