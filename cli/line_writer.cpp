// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/line_writer.hpp"

#include "crosvisor/io/blocked_signals.hpp"

#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>

namespace crosvisor::cli {

namespace {

constexpr std::size_t max_waiting_lines = 1024;

/// False when the descriptor takes no more.
bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

} // namespace

/// What the writer and its thread have in common; the thread may outlive the writer.
struct line_writer::shared {
  int fd = -1;
  io::unique_fd owned;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::string> waiting;
  bool writing = false;
  bool broken = false;
  bool ended = false;
  std::size_t dropped = 0;

  void run() {
    std::unique_lock lock{mutex};
    for (;;) {
      changed.wait(lock, [this] { return ended || !waiting.empty(); });
      if (ended)
        return;
      auto line = std::move(waiting.front()) + '\n';
      waiting.pop_front();
      writing = true;
      lock.unlock();
      auto ok = write_all(fd, line);
      lock.lock();
      writing = false;
      if (!ok) {
        broken = true;
        waiting.clear();
      }
      changed.notify_all();
    }
  }
};

line_writer::line_writer(int fd) : shared_(std::make_shared<shared>()) {
  shared_->fd = fd;
  launch();
}

line_writer::line_writer(io::unique_fd fd) : shared_(std::make_shared<shared>()) {
  shared_->fd = fd.get();
  shared_->owned = std::move(fd);
  launch();
}

void line_writer::launch() {
  io::blocked_signals inherited_by_the_thread;
  std::thread{[shared = shared_] { shared->run(); }}.detach();
}

line_writer::~line_writer() {
  std::lock_guard lock{shared_->mutex};
  shared_->ended = true;
  shared_->changed.notify_all();
}

void line_writer::add(std::string line) {
  std::lock_guard lock{shared_->mutex};
  if (shared_->broken)
    return;
  if (shared_->waiting.size() >= max_waiting_lines) {
    ++shared_->dropped;
    return;
  }
  shared_->waiting.push_back(std::move(line));
  shared_->changed.notify_all();
}

bool line_writer::flush(std::chrono::milliseconds bound) {
  std::unique_lock lock{shared_->mutex};
  auto idle = [this] { return shared_->broken || (shared_->waiting.empty() && !shared_->writing); };
  return shared_->changed.wait_for(lock, bound, idle) && !shared_->broken && shared_->dropped == 0;
}

bool line_writer::broken() const {
  std::lock_guard lock{shared_->mutex};
  return shared_->broken;
}

} // namespace crosvisor::cli
