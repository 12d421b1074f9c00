// SPDX-License-Identifier: Apache-2.0
// What a service has counted and measured. Knows no CAF type.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor {

enum class metric_kind : std::uint8_t {
  counter,   ///< Only grows, from 0 at the service's start.
  gauge,     ///< Goes up and down.
  histogram, ///< How often a measured value was at most so much.
};

struct metric_label {
  std::string name; ///< Stable, in snake_case.
  std::string value;
};

/// How many values were `upper` or less; the buckets below are included.
struct metric_bucket {
  double upper = 0;
  std::uint64_t count = 0;
};

/// One row of a family.
struct metric_sample {
  std::vector<metric_label> labels;
  /// Of a histogram the sum of all values.
  double value = 0;
  /// Of a histogram alone: all values, those above the last bucket included.
  std::uint64_t count = 0;
  /// Of a histogram alone, in ascending order.
  std::vector<metric_bucket> buckets;
};

/// All that is measured of one thing. docs/metrics.md has each.
struct metric_family {
  std::string name; ///< As Prometheus has it: `crosvisor_`, in snake_case, with its unit.
  std::string help; ///< One sentence.
  metric_kind kind = metric_kind::gauge;
  std::vector<metric_sample> samples;
};

/// Stable names.
std::string to_string(metric_kind kind);

/// Adds a sample that has one value.
inline void add_sample(metric_family& to, std::vector<metric_label> labels, double value) {
  to.samples.push_back({std::move(labels), value, 0, {}});
}

/// Counts durations. A value; one thread.
class duration_histogram {
public:
  /// The upper ends of the buckets, in seconds.
  static constexpr std::array<double, 13> bounds{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                                 2.5,  5,     10,   30,  60,   300};

  /// @param seconds less than 0, as after a clock was set: 0.
  void add(double seconds) noexcept;

  metric_sample sample(std::vector<metric_label> labels) const;

private:
  std::array<std::uint64_t, bounds.size()> counts_{}; ///< Each bucket's own.
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

template <class Inspector>
auto inspect(Inspector& f, metric_label& x) {
  return f(x.name, x.value);
}

template <class Inspector>
auto inspect(Inspector& f, metric_bucket& x) {
  return f(x.upper, x.count);
}

template <class Inspector>
auto inspect(Inspector& f, metric_sample& x) {
  return f(x.labels, x.value, x.count, x.buckets);
}

template <class Inspector>
auto inspect(Inspector& f, metric_family& x) {
  return f(x.name, x.help, x.kind, x.samples);
}

} // namespace crosvisor
