// SPDX-License-Identifier: Apache-2.0
// Times, percentiles, and what to do when something is not as it must be.
#pragma once

#include "crosvisor/io/result.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::bench {

/// How long anything that must happen may take.
inline constexpr std::chrono::seconds patience{60};

/// CLOCK_MONOTONIC, the clock of the stand-in's stamps, in nanoseconds.
inline std::int64_t now_ns() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

inline double seconds(std::int64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

/// How long it takes, in seconds.
template <class Task>
double time_of(Task task) {
  auto began = now_ns();
  task();
  return seconds(now_ns() - began);
}

/// The value that the given part of all samples does not exceed (nearest rank); 0 of none.
inline double percentile(std::vector<double> samples, double part) {
  if (samples.empty())
    return 0;
  std::sort(samples.begin(), samples.end());
  auto rank = std::ceil(part * static_cast<double>(samples.size()));
  return samples[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

inline double p50(const std::vector<double>& samples) {
  return percentile(samples, 0.50);
}

inline double p99(const std::vector<double>& samples) {
  return percentile(samples, 0.99);
}

/// The value, or an exception that ends the figure.
template <class T>
T need(io::result<T> what) {
  if (!what)
    throw std::runtime_error(what.why().what);
  if constexpr (!std::is_void_v<T>)
    return std::move(*what);
}

} // namespace crosvisor::bench
