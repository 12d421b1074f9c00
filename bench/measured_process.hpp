// SPDX-License-Identifier: Apache-2.0
// Other programs, as whole processes: how long one takes, and what one that stays has in memory.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace crosvisor::bench {

/// A program with its arguments, and what its environment has besides PATH.
struct program_line {
  std::vector<std::string> argv; ///< The first one is searched for in PATH.
  std::vector<std::string> environment = {};
  /// Whom it runs as; 0: whoever runs this.
  uid_t uid = 0;
};

/// Runs it to its end, with /dev/null as all of its standard streams, and returns the seconds that
/// took, from before posix_spawn(3) until it was reaped. Throws where it does not exit with 0.
double time_of(const program_line& program);

/// A program that stays. Its end kills and reaps it.
class background_process {
public:
  /// @param log where its standard error goes.
  background_process(const program_line& program, const std::string& log);
  background_process(const background_process&) = delete;
  background_process& operator=(const background_process&) = delete;
  ~background_process();

  pid_t pid() const noexcept { return pid_; }

  /// Waits until `serves` is true; throws when the process ends first, or takes too long.
  void wait_until(const std::function<bool()>& serves) const;

  /// SIGTERM, then waits for its end.
  void end();

  /// Of VmRSS in /proc/PID/status, in bytes.
  double resident() const;

private:
  bool has_ended() const;

  const std::string log_;
  pid_t pid_ = 0;
};

} // namespace crosvisor::bench
