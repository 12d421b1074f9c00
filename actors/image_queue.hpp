// SPDX-License-Identifier: Apache-2.0
// Which image job is next.
#pragma once

#include "crosvisor/messages/local_types.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace crosvisor::actors {

/// The jobs of a pool with so many workers, as numbers. VMs' images go first, since somebody waits
/// for a VM and they take milliseconds; the others may take minutes, so one worker is kept from
/// them where there are several. Otherwise first come, first served.
class image_queue {
public:
  enum class urgency : std::uint8_t { vm, file };

  /// @param workers at least 1. @param bound how many may wait.
  image_queue(std::size_t workers, std::size_t bound) : workers_(workers), bound_(bound) {}

  /// False when as many wait as may.
  bool add(std::uint64_t job, urgency how);

  /// The job to be run next; it counts as running then. Nothing when none may be.
  std::optional<std::uint64_t> next();

  /// The job has ended, or waits no longer.
  void remove(std::uint64_t job);

  std::size_t waiting() const noexcept { return vms_.size() + files_.size(); }

private:
  std::size_t file_limit() const noexcept { return workers_ > 1 ? workers_ - 1 : 1; }

  std::size_t workers_;
  std::size_t bound_;
  std::deque<std::uint64_t> vms_;
  std::deque<std::uint64_t> files_;
  std::map<std::uint64_t, urgency> running_;
  std::size_t running_files_ = 0;
};

} // namespace crosvisor::actors
