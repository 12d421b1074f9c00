// SPDX-License-Identifier: Apache-2.0
// What a session says to the thread that waits for its end.
#pragma once

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/run_session.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace crosvisor::cli {

/// Any thread.
class session_news {
public:
  void lost() {
    std::lock_guard lock{mutex_};
    lost_ = true;
    changed_.notify_all();
  }

  void ended(run_outcome how) {
    std::lock_guard lock{mutex_};
    outcome_ = std::move(how);
    changed_.notify_all();
  }

  /// The session is gone; without a word of its end it was lost.
  void gone() {
    std::lock_guard lock{mutex_};
    if (!outcome_)
      outcome_ = run_outcome{infrastructure, "the session was lost; this is a bug", false, {}, {}};
    changed_.notify_all();
  }

  /// Waits for the session's end, or for the loss of its door.
  /// @returns whether it was the loss.
  bool wait_for_loss() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return lost_ || outcome_; });
    return std::exchange(lost_, false) && !outcome_;
  }

  /// Only after the end.
  run_outcome outcome() {
    std::lock_guard lock{mutex_};
    return std::move(*outcome_);
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool lost_ = false;
  std::optional<run_outcome> outcome_;
};

} // namespace crosvisor::cli
