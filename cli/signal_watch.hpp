// SPDX-License-Identifier: Apache-2.0
// Hears the signals by which a user ends the program.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <csignal>
#include <functional>
#include <memory>
#include <thread>

namespace crosvisor::cli {

/// Blocks SIGINT, SIGTERM and SIGHUP and ignores SIGPIPE, for this thread and those that it makes:
/// call it in main, first. A signal that was ignored when the program began, as nohup does, stays
/// so.
void block_ending_signals();

/// Calls `on_signal` with each of those signals, on a thread of its own, until it is destroyed. The
/// callback may only send a message.
class signal_watch {
public:
  static io::result<std::unique_ptr<signal_watch>> start(std::function<void(int)> on_signal);

  signal_watch(io::unique_fd signals, io::unique_fd stop, std::function<void(int)> on_signal);
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;
  ~signal_watch();

private:
  void run();

  io::unique_fd signals_;
  io::unique_fd stop_;
  std::function<void(int)> on_signal_;
  std::thread thread_;
};

} // namespace crosvisor::cli
