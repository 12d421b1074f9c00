// SPDX-License-Identifier: Apache-2.0
// Child processes: started with exactly the descriptors that they are given, reported once.
#pragma once

#include "crosvisor/io/child_privileges.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/vmm/confinement.hpp"
#include "crosvisor/messages/vm_state.hpp"

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::io {

/// What to execute, and with what.
struct child_command {
  /// Absolute path of the program; no search, no shell.
  std::string program;
  /// All arguments, argv[0] first.
  std::vector<std::string> argv;
  /// Descriptors that the child gets under the same numbers, each above 2; CLOEXEC is cleared in
  /// the child alone. It gets no others.
  std::vector<int> inherited;
  /// Where its standard output and standard error go, and where its standard input comes from; -1:
  /// /dev/null.
  int stdout_fd = -1;
  int stderr_fd = -1;
  int stdin_fd = -1;
  /// Whom it runs as, for good, and with no privileges to be had from what it executes; none: as
  /// this process does. Not root.
  std::optional<vmm_user> user = {};
  std::vector<child_limit> limits = {};
  /// `cgroup.procs` of the cgroup (v2) that it is to be in, open for writing; -1: this process's.
  int cgroup = -1;
  /// It lives on when this process ends, however that is, and when its owner lets go of it.
  bool outlives = false;
  /// NAME=VALUE, beside PATH and LANG.
  std::vector<std::string> environment = {};
};

/// How a process ended: exit_kind::code or signal with its value, or vanished.
struct exit_status {
  exit_kind kind = exit_kind::none;
  int value = 0;
};

/// A child process in a session of its own, in `/`, with an environment of PATH and LANG and what
/// it is given, and the default signal dispositions. Unless it outlives this process, it is killed
/// when this process dies, and when its owner lets go of it.
///
/// Signals go through a pidfd, so they never reach another process that got the same number. The
/// child is always waited for: there is no zombie, and exactly one call of `on_exit`.
class child_process {
public:
  using exit_callback = std::function<void(exit_status)>;

  /// Starts a child and returns once the program is executed, or with the reason why it was not;
  /// then no process is left, and failure::code is exec's errno or that of the step that failed.
  /// Blocks for the time of fork and exec. Call it on a thread that lives as long as the process
  /// does (worker_pool's, the event loop's), since the kernel ties the child's death to that of the
  /// thread which made it (PR_SET_PDEATHSIG in prctl(2)).
  ///
  /// The program's signals start unblocked and the caller's memory is not copied (vfork), so
  /// starting costs the same in a large process. A child of another user does not share it, either:
  /// what runs as that user already could read it there, or stop this process with the child. It is
  /// copied (fork), which costs the more the larger this process is.
  /// @param on_exit called once, on the loop's thread, also after the owner let go; not when the
  ///                loop ends first, which kills and reaps the child, or leaves one that outlives
  ///                this process to init.
  static result<std::shared_ptr<child_process>>
  start(event_loop& loop, const child_command& command, exit_callback on_exit);

  virtual ~child_process() = default;

  /// The number that it has or had.
  virtual pid_t pid() const noexcept = 0;

  /// Sends a signal, unless the child has ended. Any thread.
  virtual void signal(int number) = 0;
};

/// Whether a failure of child_process::start means that the program itself can't be executed, as
/// against a host that has no more processes, descriptors or memory.
bool program_at_fault(const failure& why) noexcept;

} // namespace crosvisor::io
