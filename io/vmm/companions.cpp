// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/companions.hpp"

#include "crosvisor/messages/vm_info.hpp"

#include <boost/asio/steady_timer.hpp>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <utility>
#include <vector>

namespace crosvisor::io {

/// Kept by the callbacks of those that run. Timers, handlers and what is pending are the loop's.
class companions::shared_state : public std::enable_shared_from_this<shared_state> {
public:
  explicit shared_state(event_loop& loop) : loop_(loop) {}

  result<void> start(const std::string& name, const child_command& command) {
    {
      std::lock_guard lock{mutex_};
      ++running_; // Before it can be said to have ended.
    }
    auto child =
      child_process::start(loop_, command, [self = shared_from_this(), name](exit_status status) {
        self->exited(name, status);
      });
    std::lock_guard lock{mutex_};
    if (child) {
      children_.push_back(std::move(*child));
      return {};
    }
    --running_;
    return child.why();
  }

  void add_problem(std::string what) {
    std::lock_guard lock{mutex_};
    problems_.push_back(std::move(what));
  }

  void watch(std::function<void(std::string)> on_problem) {
    on_problem_ = std::move(on_problem);
    tell();
  }

  void conclude(std::function<void()> done) {
    on_problem_ = nullptr;
    deadline_ = nullptr;
    if (running() == 0)
      return done();
    done_ = std::move(done);
    arm([](shared_state& self) { self.kill(); });
  }

  void kill() {
    std::lock_guard lock{mutex_};
    for (const auto& child : children_)
      child->signal(SIGKILL);
  }

  void stop() {
    kill();
    std::unique_lock lock{mutex_};
    ended_.wait_for(lock, companion_bound, [this] { return running_ == 0; });
  }

private:
  std::size_t running() {
    std::lock_guard lock{mutex_};
    return running_;
  }

  void exited(const std::string& name, exit_status status) {
    auto left = [&] {
      std::lock_guard lock{mutex_};
      ended_.notify_all();
      return --running_;
    }();
    if (done_) {
      if (left == 0)
        conclude_now();
      return;
    }
    auto problem =
      "its " + name + " ended: " + to_string(vmm_exit{status.kind, status.value, {}, {}});
    if (status.kind != exit_kind::code || status.value != 0) {
      add_problem(std::move(problem));
      return tell();
    }
    // By itself it ends with its VMM's connection alone: the VMM is about to end.
    quiet_ends_.push_back(std::move(problem));
    if (!deadline_)
      arm([](shared_state& self) { self.tell_quiet_ends(); });
  }

  void conclude_now() {
    deadline_ = nullptr;
    std::exchange(done_, nullptr)();
  }

  void tell_quiet_ends() {
    deadline_ = nullptr;
    for (auto& problem : std::exchange(quiet_ends_, {}))
      add_problem(std::move(problem));
    tell();
  }

  void tell() {
    if (!on_problem_)
      return;
    auto problems = [this] {
      std::lock_guard lock{mutex_};
      return std::exchange(problems_, {});
    }();
    for (auto& problem : problems)
      on_problem_(std::move(problem));
  }

  void arm(std::function<void(shared_state&)> late) {
    deadline_ = std::make_unique<boost::asio::steady_timer>(loop_.context());
    deadline_->expires_after(companion_bound);
    deadline_->async_wait(
      [weak = weak_from_this(), late = std::move(late)](const boost::system::error_code& why) {
        if (auto self = weak.lock(); self && !why)
          late(*self);
      });
  }

  event_loop& loop_;
  std::mutex mutex_; // Of what follows, up to the next comment.
  std::condition_variable ended_;
  std::vector<std::shared_ptr<child_process>> children_;
  std::vector<std::string> problems_; // Not told yet.
  std::size_t running_ = 0;

  // The loop's.
  std::function<void(std::string)> on_problem_;
  std::vector<std::string> quiet_ends_;
  std::function<void()> done_; // Waits for their end.
  std::unique_ptr<boost::asio::steady_timer> deadline_;
};

companions::companions(event_loop& loop) : state_(std::make_shared<shared_state>(loop)) {}

companions::~companions() {
  state_->kill();
}

result<void> companions::start(const std::string& name, const child_command& command) {
  return state_->start(name, command);
}

void companions::add_problem(std::string what) {
  state_->add_problem(std::move(what));
}

void companions::watch(std::function<void(std::string)> on_problem) {
  state_->watch(std::move(on_problem));
}

void companions::conclude(std::function<void()> done) {
  state_->conclude(std::move(done));
}

void companions::stop() {
  state_->stop();
}

} // namespace crosvisor::io
