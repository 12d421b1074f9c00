// SPDX-License-Identifier: Apache-2.0
// What a new process does between fork and exec. Async-signal-safe calls alone (signal-safety(7)),
// and no allocation: the child may share the parent's memory (vfork(2)), and its other threads may
// have held any lock (fork(2)).
#pragma once

#include "crosvisor/io/child_privileges.hpp"

#include <sys/types.h>

#include <span>

namespace crosvisor::io {

/// What the child is to become; plain data, made ready before the fork.
struct child_plan {
  pid_t parent = 0;               ///< Who has to be there still.
  int stdin_fd = -1;              ///< -1: /dev/null.
  int stdout_fd = -1;             ///< -1: /dev/null.
  int stderr_fd = -1;             ///< -1: /dev/null.
  std::span<const int> inherited; ///< Kept open over exec, each above 2.
  int report = -1;                ///< Where a child_failure goes; close-on-exec, above 2.
  const vmm_user* user = nullptr; ///< Null: the parent's.
  std::span<const child_limit> limits;
  int cgroup = -1;       ///< The `cgroup.procs` of the one to join; -1: the parent's.
  bool outlives = false; ///< Not to die with the parent.
};

/// The steps that can fail in the child, in their order.
enum class child_step : int {
  session,
  cgroup,
  standard_streams,
  descriptors,
  directory,
  groups,
  gid,
  uid,
  way_back,
  new_privileges,
  parent,
  limits,
  exec
};

/// What the child writes to child_plan::report when it can't go on.
struct child_failure {
  child_step step;
  int code; ///< An errno value.
};

/// The name of what failed, for people; in the parent.
const char* to_string(child_step step) noexcept;

/// Does every step but exec. In the child; true when all is ready, else errno and `step` say why
/// not.
bool become_child(const child_plan& plan, child_step& step) noexcept;

/// Writes the failure and ends the child.
[[noreturn]] void give_up(const child_plan& plan, child_step step, int code) noexcept;

/// Marks every descriptor from 3 on as close-on-exec.
bool close_all_on_exec() noexcept;

/// The same for kernels without CLOSE_RANGE_CLOEXEC (before 5.11): by what /proc/self/fd lists.
bool close_listed_on_exec() noexcept;

} // namespace crosvisor::io
