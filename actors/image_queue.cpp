// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/image_queue.hpp"

#include <algorithm>

namespace crosvisor::actors {

bool image_queue::add(std::uint64_t job, urgency how) {
  if (waiting() >= bound_)
    return false;
  (how == urgency::vm ? vms_ : files_).push_back(job);
  return true;
}

std::optional<std::uint64_t> image_queue::next() {
  auto how = vms_.empty() ? urgency::file : urgency::vm;
  auto& from = how == urgency::vm ? vms_ : files_;
  if (from.empty() || (how == urgency::file && running_files_ >= file_limit()))
    return std::nullopt;
  auto job = from.front();
  from.pop_front();
  running_.emplace(job, how);
  running_files_ += how == urgency::file ? 1 : 0;
  return job;
}

void image_queue::remove(std::uint64_t job) {
  if (auto node = running_.extract(job)) {
    running_files_ -= node.mapped() == urgency::file ? 1 : 0;
    return;
  }
  for (auto* from : {&vms_, &files_})
    from->erase(std::remove(from->begin(), from->end(), job), from->end());
}

} // namespace crosvisor::actors
