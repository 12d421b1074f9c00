// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/metrics.hpp"

#include <algorithm>

namespace crosvisor {

std::string to_string(metric_kind kind) {
  switch (kind) {
    case metric_kind::counter: return "counter";
    case metric_kind::gauge: return "gauge";
    case metric_kind::histogram: return "histogram";
  }
  return "invalid";
}

void duration_histogram::add(double seconds) noexcept {
  seconds = std::max(seconds, 0.0);
  auto bucket = std::lower_bound(bounds.begin(), bounds.end(), seconds);
  if (bucket != bounds.end())
    ++counts_[static_cast<std::size_t>(bucket - bounds.begin())];
  ++count_;
  sum_ += seconds;
}

metric_sample duration_histogram::sample(std::vector<metric_label> labels) const {
  metric_sample made{std::move(labels), sum_, count_, {}};
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i)
    made.buckets.push_back({bounds[i], below += counts_[i]});
  return made;
}

} // namespace crosvisor
