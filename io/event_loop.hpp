// SPDX-License-Identifier: Apache-2.0
// A thread that waits for descriptors, timers and child processes.
#pragma once

#include <utility> // Boost.Asio 1.74 forgets it in C++20 mode.

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <memory>
#include <thread>

namespace crosvisor::io {

/// Runs an asio io_context on a thread of its own from construction to destruction, or on its
/// maker's. Whatever runs on it must not block. Destruction stops it, drops what still waits, and
/// joins.
class event_loop {
public:
  /// That a loop has no thread of its own.
  struct on_this_thread {};

  /// Throws std::system_error or boost::system::system_error when the host has no descriptors or
  /// threads left; later calls don't.
  /// @param thread_name shown by ps and debuggers; at most 15 bytes.
  explicit event_loop(const char* thread_name);

  /// The loop's thread is the calling one, while it is in run(). Throws like the other one.
  explicit event_loop(on_this_thread);

  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;
  ~event_loop();

  boost::asio::io_context& context() noexcept { return context_; }

  /// Whether the caller runs on the loop's thread.
  bool runs_here() const noexcept { return id_ == std::this_thread::get_id(); }

  /// Waits for descriptors, timers and child processes until stop(): only of a loop without a
  /// thread of its own, on the thread that made it. Passes on what a handler throws.
  void run() { context_.run(); }

  /// Ends run() once what runs now is done. Any thread.
  void stop() { context_.stop(); }

  /// Runs `task` on the loop's thread, later. Any thread.
  template <class Task>
  void post(Task&& task) {
    boost::asio::post(context_, std::forward<Task>(task));
  }

private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_; // None: its maker's.
  std::thread::id id_;
};

/// A loop of several owners, the last of which may let go of it on the loop's own thread.
std::shared_ptr<event_loop> make_shared_loop(const char* thread_name);

} // namespace crosvisor::io
