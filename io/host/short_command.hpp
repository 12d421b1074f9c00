// SPDX-License-Identifier: Apache-2.0
// Runs a program that is to answer soon, and takes what it prints.
#pragma once

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/worker_pool.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::io {

struct short_command {
  std::string program;                ///< Absolute path.
  std::vector<std::string> arguments; ///< Without argv[0], which is the path.
  /// After this it is killed.
  std::chrono::milliseconds timeout{2000};
  /// Of each of its outputs; when it prints more, it is killed.
  std::size_t max_output_bytes = 256u << 10;
};

struct command_output {
  exit_status status;
  bool timed_out = false; ///< It was killed when its time was up.
  bool flooded = false;   ///< It was killed since it printed too much.
  std::string out;
  std::string err;
};

/// A command that was started. Letting go of it changes nothing.
class running_command {
public:
  virtual ~running_command() = default;

  /// Kills it; it is still answered for. Any thread.
  virtual void cancel() = 0;
};

/// Starts `command` on a thread of `workers`, and calls `done` once on the loop's thread: with what
/// it printed when it has ended, or with why it could not be started. Never later than a second
/// after its timeout. Both the loop and the workers must outlive it.
std::shared_ptr<running_command>
run_short_command(event_loop& loop, worker_pool& workers, short_command command,
                  std::function<void(result<command_output>)> done);

/// The same, waiting for it; not on the loop's or a worker's thread.
result<command_output> wait_for_command(event_loop& loop, worker_pool& workers,
                                        short_command command);

/// The first line of `text` that is not blank, as it may be shown to a person.
std::string first_line(const std::string& text);

/// The last one.
std::string last_line(const std::string& text);

} // namespace crosvisor::io
