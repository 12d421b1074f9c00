// SPDX-License-Identifier: Apache-2.0
// The rival of the burst: one lock around the whole of every start.
#pragma once

#include "crosvisor/bench/stand_ins.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/io/runtime_dir.hpp"
#include "crosvisor/io/worker_pool.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace crosvisor::bench {

/// Starts VMs as the service does, from the same parts, but with one caller's thread for each VM,
/// and one lock that each holds from its first check until its VMM is executed.
class locked_starts {
public:
  /// @param folder its directories go below it.
  locked_starts(const io::vmm_driver& driver, const std::string& folder);

  /// Starts all at once, waits until each one's control channel answers, and kills them.
  /// @returns when the first could begin, CLOCK_MONOTONIC in ns.
  std::int64_t run(std::vector<stand_in>& vms);

private:
  struct round;
  struct running_vm;

  void start(running_vm& vm);
  void call(const std::shared_ptr<round>& now, stand_in& from, vm_cid cid);

  const io::vmm_driver& driver_;
  std::shared_ptr<io::runtime_root> root_;
  std::unique_ptr<io::log_store> logs_;
  io::event_loop loop_{"bench-io"};
  io::event_loop log_loop_{"bench-log"};
  io::worker_pool workers_{1};
  std::mutex lock_;
};

} // namespace crosvisor::bench
