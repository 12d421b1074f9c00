// SPDX-License-Identifier: Apache-2.0
// A keeper's process, as the service sees it.
#pragma once

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <sys/types.h>

#include <functional>
#include <memory>

namespace crosvisor::io {

/// A child of this process or one that was found living; letting go of it leaves it alone. Signals
/// go through a pidfd. Any thread.
class watched_keeper {
public:
  /// Called once, on the loop's thread; exit_kind::none where it is no child of this process's.
  using end_callback = std::function<void(exit_status)>;

  /// See child_process::start, also for the thread; `command` outlives this process.
  static result<std::shared_ptr<watched_keeper>>
  start(event_loop& loop, const child_command& command, end_callback on_end);

  /// One that was found. @param pidfd its own, by open_pidfd().
  static result<std::shared_ptr<watched_keeper>> watch(event_loop& loop, unique_fd pidfd,
                                                       end_callback on_end);

  virtual ~watched_keeper() = default;

  /// SIGKILL.
  virtual void kill() = 0;
};

/// A pidfd of the process that has this number now.
result<unique_fd> open_pidfd(pid_t pid);

/// SIGKILL; false when it has ended.
bool kill_process(int pidfd) noexcept;

/// Waits until a process has ended; false when `bound_ms` is over before.
bool wait_for_end(int pidfd, int bound_ms) noexcept;

} // namespace crosvisor::io
