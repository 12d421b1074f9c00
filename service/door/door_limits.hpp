// SPDX-License-Identifier: Apache-2.0
// All that the door bounds.
#pragma once

#include "crosvisor/service/bounds.hpp"
#include "crosvisor/service/door/quota.hpp"

namespace crosvisor::door {

/// The door's bounds with what is counted of them, as the door has them in use.
struct door_limits {
  door_limits() = default;
  explicit door_limits(const door_bounds& bounds);

  quota vms;
  quota requests;
  quota subscriptions;
  quota streams;
  quota images;
  vm_bound references; ///< Of one principal.
  vm_bound subscribers;
  vm_bound output_readers;
  vm_bound connects;
  vm_bound users;
  vm_bound passes;
  vm_bound events_kept; ///< In all: the oldest make room.

  /// What one principal has.
  std::vector<limit_info> of(const caller& who) const;
};

} // namespace crosvisor::door
