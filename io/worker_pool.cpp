// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/worker_pool.hpp"

#include "crosvisor/io/blocked_signals.hpp"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace crosvisor::io {

struct worker_pool::state : std::enable_shared_from_this<state> {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> tasks;
  std::vector<std::thread> threads;
  std::size_t max_threads = 1;
  std::size_t idle = 0;
  bool ending = false;
  std::string name;
  event_loop* loop = nullptr; // Instead of threads.

  void add_thread() {
    blocked_signals inherited_by_the_thread;
    threads.emplace_back([this] { work(); });
    ::pthread_setname_np(threads.back().native_handle(), name.c_str());
  }

  void run_next() {
    std::function<void()> task;
    {
      std::lock_guard lock{mutex};
      if (tasks.empty())
        return;
      task = std::move(tasks.front());
      tasks.pop_front();
    }
    task();
  }

  void post_to_loop() {
    loop->post([weak = weak_from_this()] {
      if (auto self = weak.lock())
        self->run_next();
    });
  }

  void work() {
    std::unique_lock lock{mutex};
    for (;;) {
      ++idle;
      wake.wait(lock, [this] { return ending || !tasks.empty(); });
      --idle;
      if (tasks.empty())
        return;
      auto task = std::move(tasks.front());
      tasks.pop_front();
      lock.unlock();
      task();
      task = nullptr; // What it holds goes before the next one starts.
      lock.lock();
    }
  }
};

worker_pool::worker_pool(when_needed, std::size_t max_threads, const char* thread_name)
    : state_(std::make_shared<state>()) {
  state_->max_threads = std::max<std::size_t>(max_threads, 1);
  state_->name = thread_name;
  state_->threads.reserve(state_->max_threads);
}

worker_pool::worker_pool(std::size_t max_threads, const char* thread_name)
    : worker_pool(when_needed{}, max_threads, thread_name) {
  std::lock_guard lock{state_->mutex};
  state_->add_thread();
}

worker_pool::worker_pool(event_loop& loop) : state_(std::make_shared<state>()) {
  state_->max_threads = 0;
  state_->loop = &loop;
}

worker_pool::~worker_pool() {
  std::vector<std::thread> threads;
  {
    std::lock_guard lock{state_->mutex};
    state_->ending = true;
    threads.swap(state_->threads);
  }
  state_->wake.notify_all();
  for (auto& thread : threads)
    thread.join();
  while (state_->loop != nullptr && !state_->tasks.empty())
    state_->run_next();
}

void worker_pool::post(std::function<void()> task) {
  auto& s = *state_;
  std::unique_lock lock{s.mutex};
  s.tasks.push_back(std::move(task));
  if (s.loop != nullptr)
    return s.post_to_loop();
  // The destructor took the threads already; those that run still see this task.
  if (!s.ending && s.tasks.size() > s.idle && s.threads.size() < s.max_threads) {
    try {
      s.add_thread();
    } catch (const std::system_error&) {
      // No more threads on this host: the task waits for one of those there are.
    }
  }
  if (s.threads.empty() && !s.ending) {
    lock.unlock();
    return s.run_next();
  }
  s.wake.notify_one();
}

} // namespace crosvisor::io
