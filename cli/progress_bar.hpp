// SPDX-License-Identifier: Apache-2.0
// How far a long job is, for who watches.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace crosvisor::cli {

/// One line of a job that is done bytes of total in, `elapsed` after its beginning:
/// `big.apk  [##############------]  71 %  2.9 GB/s  0.1 s left`.
std::string progress_line(const std::string& name, std::uint64_t done, std::uint64_t total,
                          std::chrono::milliseconds elapsed);

/// Draws that line over itself on standard error, where that is a terminal that shows colours, and
/// wipes it out at its end. What takes less than half a second has none. Use from one thread at a
/// time.
class progress_bar {
public:
  using clock = std::chrono::steady_clock;

  explicit progress_bar(std::string name);
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  ~progress_bar();

  void show(std::uint64_t done, std::uint64_t total);

private:
  std::string name_;
  bool wanted_;
  bool drawn_ = false;
  clock::time_point began_ = clock::now();
};

} // namespace crosvisor::cli
