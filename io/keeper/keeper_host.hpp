// SPDX-License-Identifier: Apache-2.0
// What all VMs of one keeper launcher share.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/keeper/keeper_launcher.hpp"
#include "crosvisor/io/keeper/keeper_remains.hpp"
#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/io/worker_pool.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace crosvisor::io {

class kept_vmm;

/// The VMs whose keepers live or are being started, and whether their host is still there: VMs may
/// be held longer than it. Any thread.
class living_keepers {
public:
  void add(const std::shared_ptr<kept_vmm>& vmm);

  /// Nothing of it runs any more; the last thing that it does with the host.
  void remove(kept_vmm* vmm);

  /// Those that are there.
  std::vector<std::shared_ptr<kept_vmm>> all();

  /// Waits until no other than `but` has this CID; false when `bound` is over before.
  bool wait_for_end_of_others(vm_cid cid, const kept_vmm* but, std::chrono::milliseconds bound);

  /// Runs `task` if the host is there, and keeps it there meanwhile. False when it has gone.
  template <class Task>
  bool while_open(Task&& task) {
    std::lock_guard lock{mutex_};
    if (open_)
      task();
    return open_;
  }

  /// Waits until none is left or `bound` is over; then the host has gone.
  /// @returns how many are left.
  std::size_t close(std::chrono::seconds bound);

  std::atomic<bool> leaving = false; ///< See vmm_launcher::leave().

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<kept_vmm*, std::weak_ptr<kept_vmm>> vmms_;
  bool open_ = true;
};

struct keeper_host {
  keeper_host(keeper_launcher_options with, std::shared_ptr<event_loop> on,
              std::shared_ptr<const keeper_places> there, unique_fd lock,
              std::unique_ptr<log_store> store, std::string boot)
      : options(std::move(with)),
        loop(std::move(on)),
        places(std::move(there)),
        places_lock(std::move(lock)),
        logs(std::move(store)),
        boot_id(std::move(boot)),
        workers(options.how.workers, "crosvisor-keep") {}

  const keeper_launcher_options options;
  const std::shared_ptr<event_loop> loop;
  const std::shared_ptr<const keeper_places> places;
  const unique_fd places_lock;
  const std::unique_ptr<log_store> logs;
  const std::string boot_id;
  const std::shared_ptr<living_keepers> living = std::make_shared<living_keepers>();
  worker_pool workers; // Ends first and with all its tasks.
};

} // namespace crosvisor::io
