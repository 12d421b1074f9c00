// SPDX-License-Identifier: Apache-2.0
// The door: whatever comes from other processes passes through it.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/event_journal.hpp"
#include "crosvisor/io/images/image_store.hpp"
#include "crosvisor/io/log/kept_log_reader.hpp"
#include "crosvisor/io/tickets/ticket_store.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/bounds.hpp"
#include "crosvisor/service/caller_directory.hpp"
#include "crosvisor/service/permissions.hpp"
#include "crosvisor/service/shared_grants.hpp"

#include <caf/actor_system.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace crosvisor {

/// How long the door waits for the actors behind it. All are finite and positive, and longer than
/// the bounds that those have themselves.
struct door_timeouts {
  /// For the service to create a VM; nothing of that waits for a VMM.
  caf::timespan create = std::chrono::seconds{60};
  /// For a VM or the service to say what it knows.
  caf::timespan state = std::chrono::seconds{10};
  /// For a VM to run: its images made, its VMM started, or what is left of it gone.
  caf::timespan start = std::chrono::minutes{3};
  /// For a VMM to do what it is told, and, beyond the request's own bound, for a connection.
  caf::timespan control = std::chrono::seconds{60};
  /// For an image, its turn among the others included.
  caf::timespan image = std::chrono::hours{24};
};

/// Closes the descriptors of a request that has no use for them any more. close(2) of a stranger's
/// file may block, so it is better done elsewhere. Any thread.
using descriptor_closer = std::function<void(const caller& whose, io::descriptor_set files)>;

/// What is bounded elsewhere: all of it, or, with somebody named, what they have and was refused
/// them. Any thread; blocks for nothing but a lock.
using limit_source = std::function<std::vector<limit_info>(const caller* of)>;

struct door_options {
  service_actor service;
  std::shared_ptr<const caller_directory> callers;
  std::shared_ptr<shared_grants> grants;
  /// Null: no descriptors are passed, as if everybody were on another host.
  std::shared_ptr<io::ticket_store> tickets;
  /// Null: kept logs can't be read.
  std::shared_ptr<io::kept_log_reader> logs;
  /// Null: no images are stored here.
  std::shared_ptr<io::image_store> images = nullptr;
  /// What a guest gets to heed its power button when the last reference is gone.
  caf::timespan stop_grace = std::chrono::seconds{10};
  /// How long the reference of a lost connection is kept.
  caf::timespan reference_grace = std::chrono::seconds{10};
  /// The longest that a stop takes beyond the grace that its sender gives; see longest_stop().
  caf::timespan longest_stop = std::chrono::minutes{1};
  /// Keeps events for the door after this one; null: they are kept here alone.
  std::shared_ptr<io::event_journal> journal = nullptr;
  /// The VMs that there were before the door, created through another one. Who held one has its
  /// reference for reference_grace, as one whose connection was lost.
  std::vector<adopted_vm> adopted = {};
  /// Whether a VM lives that is not among these, since its keeper is left alone: it is not told to
  /// be dead, and the door after this one may have it. Null: none does.
  std::function<bool(vm_cid)> is_left_alone = nullptr;
  /// True from when the service is about to leave its VMs to their keepers: no reference is dropped
  /// any more, and a VM whose supervisor goes lives on. Null: that never happens.
  std::shared_ptr<const std::atomic<bool>> leaving = nullptr;
  door_bounds bounds = {};
  /// As the VMs' supervisors have them, for who asks.
  restart_limits restarts = {};
  /// How many dead VMs' logs are kept; as many are remembered for those who ask for them.
  std::size_t kept_logs = 64;
  /// The bounds that others keep; empty: there are none.
  limit_source others = {};
  door_timeouts timeouts = {};
  /// Empty: they are closed where the last one lets go of them.
  descriptor_closer close = {};
};

/// Spawns the door. It monitors the service and ends with it. A message that it does not know is
/// dropped without a word in the log.
door_actor spawn_door(caf::actor_system& system, door_options options);

} // namespace crosvisor
