// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/event_loop.hpp"

#include "crosvisor/io/blocked_signals.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <pthread.h>

namespace crosvisor::io {

event_loop::event_loop(on_this_thread)
    : work_(context_.get_executor()), id_(std::this_thread::get_id()) {
  // Makes the loop's epoll now: later there may be no descriptor free.
  boost::asio::posix::stream_descriptor first{context_};
}

event_loop::event_loop(const char* thread_name) : event_loop(on_this_thread{}) {
  blocked_signals inherited_by_the_thread;
  thread_ = std::thread([this] { context_.run(); });
  id_ = thread_.get_id();
  ::pthread_setname_np(thread_.native_handle(), thread_name);
}

event_loop::~event_loop() {
  work_.reset();
  context_.stop();
  if (thread_.joinable())
    thread_.join();
}

std::shared_ptr<event_loop> make_shared_loop(const char* thread_name) {
  return {new event_loop{thread_name}, [](event_loop* loop) {
            if (!loop->runs_here()) {
              delete loop;
              return;
            }
            // A thread can't wait for itself.
            std::thread{[loop] { delete loop; }}.detach();
          }};
}

} // namespace crosvisor::io
