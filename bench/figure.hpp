// SPDX-License-Identifier: Apache-2.0
// One figure: what it prepares, how it is measured once, what is said of it in the end.
#pragma once

#include "crosvisor/bench/summary.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace crosvisor::bench {

/// What one measurement found: our time, which the benchmark reports as its own, and more values
/// beside it.
struct sample {
  double seconds = 0;
  std::map<std::string, double> beside;
};

/// Its construction prepares, its destruction leaves nothing behind. Whatever fails throws.
class figure {
public:
  virtual ~figure() = default;

  /// How often it is measured.
  virtual int repetitions() const = 0;

  /// Measures ours and the rival, one after the other; which is first changes from one to the next.
  virtual sample measure() = 0;

  /// After the last measurement.
  virtual void conclude(summary& to) const = 0;
};

/// This host has not what a figure needs; what() says what.
class not_here : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

struct figure_entry {
  const char* name;
  const char* about;
  std::unique_ptr<figure> (*make)(summary& to);
};

/// All there are, in the order in which they run. The one that measures memory comes first, since
/// it must not find freed memory of others to fill.
const std::vector<figure_entry>& all_figures();

/// Runs one under Google Benchmark's reporter, and adds its rows to `to`. Ends early when
/// `interrupted` gets true; then there are no rows of it.
void run(const figure_entry& entry, summary& to, const std::atomic<bool>& interrupted);

std::unique_ptr<figure> make_list_figure(summary& to);
std::unique_ptr<figure> make_start_figure(summary& to);
std::unique_ptr<figure> make_burst_figure(summary& to);
std::unique_ptr<figure> make_boot_figure(summary& to);
std::unique_ptr<figure> make_vsock_figure(summary& to);
std::unique_ptr<figure> make_digest_figure(summary& to);
std::unique_ptr<figure> make_composite_figure(summary& to);
std::unique_ptr<figure> make_disk_figure(summary& to);
std::unique_ptr<figure> make_request_figure(summary& to);
std::unique_ptr<figure> make_command_figure(summary& to);
std::unique_ptr<figure> make_create_figure(summary& to);
std::unique_ptr<figure> make_keeper_figure(summary& to);
std::unique_ptr<figure> make_adoption_figure(summary& to);
std::unique_ptr<figure> make_events_figure(summary& to);
std::unique_ptr<figure> make_image_figure(summary& to);

} // namespace crosvisor::bench
