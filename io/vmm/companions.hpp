// SPDX-License-Identifier: Apache-2.0
// The processes that run beside one VMM and for it alone: its vsock device, its disk servers.
#pragma once

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/result.hpp"

#include <functional>
#include <memory>
#include <string>

namespace crosvisor::io {

/// How long a companion may outlive its VMM, since it may have something to flush; and a VMM the
/// connection to its companion, which it closes when it ends.
inline constexpr std::chrono::seconds companion_bound{2};

/// A companion ends with its VMM's connection to it, with the code 0. Letting go of them kills
/// them.
class companions {
public:
  explicit companions(event_loop& loop);
  companions(const companions&) = delete;
  companions& operator=(const companions&) = delete;
  ~companions();

  /// Starts one; see child_process::start. On a thread that lives as long as the process does.
  /// @param name how its VM's fault calls it: `vsock device`.
  result<void> start(const std::string& name, const child_command& command);

  /// One that the VM can't go on without is not there. Any thread.
  void add_problem(std::string what);

  /// Tells what was wrong until now and what will be, on the loop's thread, where this is called:
  /// `its vsock device ended: signal 11`. One that has ended by itself with the code 0 is a problem
  /// once it is clear that the VMM has not ended with it.
  void watch(std::function<void(std::string what)> on_problem);

  /// The VMM has ended. Calls `done` once when all have ended, which those that do not soon are
  /// made to; at once where there are none. No problem is told any more. On the loop's thread.
  void conclude(std::function<void()> done);

  /// Kills them and waits until they are reaped, within a bound. Not on the loop's thread.
  void stop();

private:
  class shared_state;
  std::shared_ptr<shared_state> state_;
};

} // namespace crosvisor::io
