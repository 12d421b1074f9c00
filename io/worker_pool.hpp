// SPDX-License-Identifier: Apache-2.0
// Threads for what may block: opening files, making directories, fork and exec.
#pragma once

#include "crosvisor/io/event_loop.hpp"

#include <cstddef>
#include <functional>
#include <memory>

namespace crosvisor::io {

/// Runs tasks on threads that live as long as the pool, with every signal blocked. A thread is
/// added when none is free, up to `max_threads`; so one slow task keeps no other waiting until that
/// many are slow.
class worker_pool {
public:
  /// That no thread is made before there is a task.
  struct when_needed {};

  /// Makes the first thread, so that whatever is posted is run.
  /// @param max_threads at least 1.
  /// @param thread_name shown by ps and debuggers; at most 15 bytes.
  explicit worker_pool(std::size_t max_threads, const char* thread_name = "crosvisor-work");

  /// The same without the first thread: where the host has none when a task comes, the task is run
  /// in post().
  worker_pool(when_needed, std::size_t max_threads, const char* thread_name = "crosvisor-work");

  /// Has no threads: tasks are the loop's, one a turn. The pool goes on the loop's thread, or when
  /// that has ended.
  explicit worker_pool(event_loop& loop);

  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;
  /// Runs what was posted, then joins.
  ~worker_pool();

  /// Any thread, a task's too. Tasks start in the order of posting. A task throws nothing.
  void post(std::function<void()> task);

private:
  struct state;
  std::shared_ptr<state> state_;
};

} // namespace crosvisor::io
