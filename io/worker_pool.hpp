// SPDX-License-Identifier: Apache-2.0
// Threads for what may block: opening files, making directories, fork and exec.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace crosvisor::io {

/// Runs tasks on threads that live as long as the pool. A thread is added when none is free, up to
/// `max_threads`; so one slow task keeps no other waiting until that many are slow.
class worker_pool {
public:
  explicit worker_pool(std::size_t max_threads);
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;
  /// Runs what was posted, then joins.
  ~worker_pool();

  /// Any thread. Tasks start in the order of posting.
  void post(std::function<void()> task);

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace crosvisor::io
