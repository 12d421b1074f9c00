// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/background_closer.hpp"

#include "crosvisor/io/blocked_signals.hpp"

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace crosvisor::io {

namespace {

constexpr std::chrono::seconds last_wait{1};

} // namespace

struct background_closer::state {
  struct of_uid {
    std::deque<unique_fd> waiting;
    std::size_t count = 0; // With those that are being closed.
  };

  std::mutex mutex;
  std::condition_variable all_closed;
  std::map<std::uint32_t, of_uid> uids; // Each has its thread.

  void work(std::uint32_t uid) {
    std::unique_lock lock{mutex};
    for (auto& own = uids[uid]; !own.waiting.empty();) {
      auto fd = std::move(own.waiting.front());
      own.waiting.pop_front();
      lock.unlock();
      fd.reset();
      lock.lock();
      --own.count;
    }
    uids.erase(uid);
    all_closed.notify_all();
  }
};

background_closer::background_closer() : state_(std::make_shared<state>()) {}

background_closer::~background_closer() {
  std::unique_lock lock{state_->mutex};
  state_->all_closed.wait_for(lock, last_wait, [this] { return state_->uids.empty(); });
}

void background_closer::close(std::uint32_t uid, std::vector<unique_fd> fds) {
  if (fds.empty())
    return;
  std::deque<unique_fd> here; // Goes after the lock.
  std::lock_guard lock{state_->mutex};
  auto [own, first] = state_->uids.try_emplace(uid);
  own->second.count += fds.size();
  for (auto& fd : fds)
    own->second.waiting.push_back(std::move(fd));
  if (!first)
    return;
  try {
    blocked_signals inherited_by_the_thread;
    std::thread thread{[s = state_, uid] { s->work(uid); }};
    ::pthread_setname_np(thread.native_handle(), "crosvisor-close");
    thread.detach();
  } catch (const std::system_error&) {
    here = std::move(own->second.waiting); // No more threads on this host: here and now.
    state_->uids.erase(own);
  }
}

void background_closer::close(std::uint32_t uid, unique_fd fd) {
  std::vector<unique_fd> one;
  if (fd)
    one.push_back(std::move(fd));
  close(uid, std::move(one));
}

std::size_t background_closer::waiting(std::uint32_t uid) const {
  std::lock_guard lock{state_->mutex};
  auto own = state_->uids.find(uid);
  return own == state_->uids.end() ? 0 : own->second.count;
}

} // namespace crosvisor::io
