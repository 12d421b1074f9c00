// SPDX-License-Identifier: Apache-2.0
// How a long job is watched and given up.
#pragma once

#include "crosvisor/io/result.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <utility>

namespace crosvisor::io {

/// Shared by a job and whoever wants it. Any thread.
class job_control {
public:
  /// @param done, total bytes.
  using progress_handler = std::function<void(std::uint64_t done, std::uint64_t total)>;

  job_control() = default;
  /// @param on_progress called on the job's thread; may only send a message. May be empty.
  explicit job_control(progress_handler on_progress) : on_progress_(std::move(on_progress)) {}

  /// The job ends soon, with stopped(), and leaves nothing.
  void cancel() noexcept { cancelled_ = true; }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

  /// What a cancelled job fails with.
  static failure stopped() { return {ECANCELED, "the job was cancelled"}; }

  /// The job tells how far it is; about ten times a second is enough.
  void report(std::uint64_t done, std::uint64_t total) const {
    if (on_progress_)
      on_progress_(done, total);
  }

private:
  std::atomic<bool> cancelled_ = false;
  const progress_handler on_progress_;
};

} // namespace crosvisor::io
