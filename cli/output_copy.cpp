// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/output_copy.hpp"

#include "crosvisor/io/blocked_signals.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace crosvisor::cli {

namespace {

constexpr std::size_t piece_bytes = 64 << 10;

/// Whether the call may be repeated; waits where the descriptor is not ready. Whoever shares its
/// description may have made it non-blocking.
bool may_go_on(int fd, short what) {
  if (errno == EINTR)
    return true;
  if (errno != EAGAIN)
    return false;
  pollfd one{fd, what, 0};
  ::poll(&one, 1, -1);
  return true;
}

/// False, with errno, when the descriptor takes no more.
bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0)
      bytes.remove_prefix(static_cast<std::size_t>(n));
    else if (!may_go_on(fd, POLLOUT))
      return false;
  }
  return true;
}

/// The number of bytes read, 0 at the end of file, or less with errno.
ssize_t read_some(int fd, std::vector<char>& buffer) {
  for (;;) {
    auto n = ::read(fd, buffer.data(), buffer.size());
    if (n >= 0 || !may_go_on(fd, POLLIN))
      return n;
  }
}

} // namespace

/// What the copy and its thread have in common; the thread may outlive the copy.
struct output_copy::shared {
  io::unique_fd from;
  io::unique_fd to;
  std::string name;
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void(const std::string&)> say;
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
      if (write_all(to.get(), {buffer.data(), static_cast<std::size_t>(n)}))
        continue;
      auto why = errno == EPIPE ? "nobody reads it any more" : std::strerror(errno);
      return name + ": " + why + "; the rest of the payload's output is dropped";
    }
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
}

void output_copy::begin(io::unique_fd from) {
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
