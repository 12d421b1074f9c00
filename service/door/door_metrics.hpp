// SPDX-License-Identifier: Apache-2.0
// What the door counts for whoever asks for its metrics.
#pragma once

#include "crosvisor/messages/limit_info.hpp"
#include "crosvisor/messages/metrics.hpp"
#include "crosvisor/messages/vm_config.hpp"
#include "crosvisor/messages/vm_event.hpp"
#include "crosvisor/service/permissions.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace crosvisor::door {

/// What is needed of a VM's start to say how long it took.
struct measured_start {
  vmm_kind vmm = vmm_kind::qemu;
  accel_kind accel = accel_kind::tcg;
  /// When the present life's `starting` was told; 0: by a door before this one, or not yet.
  std::int64_t began_us = 0;
};

/// Counts from the door's start on. A value: no labels but those of enums, so that it stays small.
class door_metrics {
public:
  /// A request came, and was denied or not; one that is answered no_such_vm is not.
  void count(door_request request, bool denied) noexcept;

  /// Something happened to a VM.
  void take(const vm_event& event, measured_start& of);

  /// Adds all that was counted, in a stable order.
  void show(std::vector<metric_family>& to) const;

private:
  struct requests {
    std::uint64_t all = 0;
    std::uint64_t denied = 0;
  };
  struct starts {
    duration_histogram started;
    duration_histogram ready;
  };

  std::array<requests, door_request_count> requests_{};
  std::map<vm_event_kind, std::uint64_t> events_;
  std::map<death_reason, std::uint64_t> deaths_;
  std::map<std::pair<vmm_kind, accel_kind>, starts> starts_;
};

/// What of each bound is in use, how much may be, and how often it was reached.
std::vector<metric_family> metrics_of(const std::vector<limit_info>& limits);

} // namespace crosvisor::door
