// SPDX-License-Identifier: Apache-2.0
// One thread that waits for descriptors, timers and child processes.
#pragma once

#include <utility> // Boost.Asio 1.74 forgets it in C++20 mode.

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <memory>
#include <thread>

namespace crosvisor::io {

/// Runs an asio io_context on a thread of its own from construction to destruction. Whatever runs
/// on it must not block. Destruction stops it, drops what still waits, and joins.
class event_loop {
public:
  /// Throws std::system_error or boost::system::system_error when the host has no descriptors or
  /// threads left; later calls don't.
  /// @param thread_name shown by ps and debuggers; at most 15 bytes.
  explicit event_loop(const char* thread_name);
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;
  ~event_loop();

  boost::asio::io_context& context() noexcept { return context_; }

  /// Whether the caller runs on the loop's thread.
  bool runs_here() const noexcept { return thread_.get_id() == std::this_thread::get_id(); }

  /// Runs `task` on the loop's thread, later. Any thread.
  template <class Task>
  void post(Task&& task) {
    boost::asio::post(context_, std::forward<Task>(task));
  }

private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

/// A loop of several owners, the last of which may let go of it on the loop's own thread.
std::shared_ptr<event_loop> make_shared_loop(const char* thread_name);

} // namespace crosvisor::io
