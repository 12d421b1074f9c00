// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/output_copy.hpp"

#include "crosvisor/cli/descriptor_copy.hpp"
#include "crosvisor/io/blocked_signals.hpp"

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace crosvisor::cli {

namespace {

constexpr std::size_t piece_bytes = 64 << 10;

} // namespace

/// What the copy and its thread have in common; the thread may outlive the copy.
struct output_copy::shared {
  io::unique_fd from;
  io::unique_fd to;
  std::string name;
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void(const std::string&)> say;
  std::function<void(std::size_t)> on_written;
  bool begun = false;
  bool ended = false;
  bool given_up = false;

  /// What ended the copy too early; empty where nothing did.
  std::string copy() {
    std::vector<char> buffer(piece_bytes);
    for (;;) {
      auto n = read_some(from.get(), buffer);
      if (n == 0)
        return "";
      if (n < 0)
        return std::string{"the payload's output can't be read on: "} + std::strerror(errno);
      auto size = static_cast<std::size_t>(n);
      if (write_whole(to.get(), {buffer.data(), size})) {
        tell_written(size);
        continue;
      }
      auto why = errno == EPIPE ? "nobody reads it any more" : std::strerror(errno);
      return name + ": " + why + "; the rest of the payload's output is dropped";
    }
  }

  void tell_written(std::size_t size) {
    std::lock_guard lock{mutex};
    if (on_written)
      on_written(size);
  }

  void run() {
    auto problem = copy();
    from.reset();
    to.reset();
    std::lock_guard lock{mutex};
    if (!problem.empty() && say)
      say(problem);
    ended = true;
    changed.notify_all();
  }
};

output_copy::output_copy(io::unique_fd to, std::string name,
                         std::function<void(const std::string&)> say)
    : shared_(std::make_shared<shared>()) {
  shared_->to = std::move(to);
  shared_->name = std::move(name);
  shared_->say = std::move(say);
}

output_copy::~output_copy() {
  std::lock_guard lock{shared_->mutex};
  shared_->say = nullptr;
  shared_->on_written = nullptr;
}

void output_copy::begin(io::unique_fd from, std::function<void(std::size_t)> on_written) {
  shared_->on_written = std::move(on_written);
  shared_->from = std::move(from);
  io::blocked_signals inherited_by_the_thread;
  std::thread{[shared = shared_] { shared->run(); }}.detach();
  std::lock_guard lock{shared_->mutex};
  shared_->begun = true;
}

void output_copy::give_up() {
  std::lock_guard lock{shared_->mutex};
  shared_->given_up = true;
  shared_->changed.notify_all();
}

bool output_copy::wait(std::chrono::milliseconds grace) {
  auto& state = *shared_;
  std::unique_lock lock{state.mutex};
  if (!state.begun)
    return true;
  state.changed.wait(lock, [&] { return state.ended || state.given_up; });
  return state.changed.wait_for(lock, grace, [&] { return state.ended; });
}

} // namespace crosvisor::cli
