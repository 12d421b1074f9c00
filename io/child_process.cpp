// SPDX-License-Identifier: Apache-2.0
// Waiting is by pidfd on the event loop.
#include "crosvisor/io/child_process.hpp"

#include "crosvisor/io/child_launch.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <mutex>
#include <utility>

namespace crosvisor::io {

namespace {

exit_status to_exit_status(int status) {
  if (WIFEXITED(status))
    return {exit_kind::code, WEXITSTATUS(status)};
  return {exit_kind::signal, WTERMSIG(status)};
}

// How long a killed child may take to end.
constexpr int unkillable_ms = 5000;

// -- the process, as the loop and its owner share it -----------------------------

class running_child {
public:
  running_child(pid_t pid, unique_fd pidfd, bool outlives)
      : pid_(pid), outlives_(outlives), pidfd_(std::move(pidfd)) {}

  pid_t pid() const noexcept { return pid_; }
  bool outlives() const noexcept { return outlives_; }
  int pidfd() const noexcept { return pidfd_.get(); }

  void signal(int number) {
    std::lock_guard lock{mutex_};
    if (pidfd_)
      ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
  }

  // exit_kind::none while it runs. Once it was waited for, its number may be another process's.
  exit_status try_reap(int options) {
    std::lock_guard lock{mutex_};
    if (!pidfd_)
      return {exit_kind::vanished, 0};
    int status = 0;
    pid_t got = 0;
    while ((got = ::waitpid(pid_, &status, options)) < 0 && errno == EINTR)
      ;
    if (got == 0)
      return {};
    pidfd_.reset();
    return got == pid_ ? to_exit_status(status) : exit_status{exit_kind::vanished, 0};
  }

private:
  const pid_t pid_;
  const bool outlives_;
  std::mutex mutex_;
  unique_fd pidfd_; // Open until the child is reaped.
};

// Lives in the loop, as what waits there: its end without an exit is the loop's own.
class exit_watch {
public:
  exit_watch(event_loop& loop, std::shared_ptr<running_child> child,
             child_process::exit_callback on_exit)
      : child_(std::move(child)), on_exit_(std::move(on_exit)), descriptor_(loop.context()) {
    descriptor_.assign(child_->pidfd());
  }
  exit_watch(const exit_watch&) = delete;
  exit_watch& operator=(const exit_watch&) = delete;

  ~exit_watch() {
    if (descriptor_.is_open())
      descriptor_.release(); // The child's to close.
    if (reaped_ || child_->outlives())
      return;
    child_->signal(SIGKILL);
    // A process that the kernel can't end (a hung disk) is left to init.
    pollfd ended{child_->pidfd(), POLLIN, 0};
    if (::poll(&ended, 1, unkillable_ms) != 0)
      child_->try_reap(0);
  }

  static void wait(std::unique_ptr<exit_watch> self) {
    auto& descriptor = self->descriptor_;
    descriptor.async_wait(boost::asio::posix::descriptor_base::wait_read,
                          [self = std::move(self)](const boost::system::error_code& why) mutable {
                            if (!why && !self->report())
                              wait(std::move(self));
                          });
  }

private:
  bool report() {
    descriptor_.release(); // Before try_reap closes it.
    auto status = child_->try_reap(WNOHANG);
    if (status.kind == exit_kind::none) {
      descriptor_.assign(child_->pidfd());
      return false;
    }
    reaped_ = true;
    std::exchange(on_exit_, nullptr)(status);
    return true;
  }

  std::shared_ptr<running_child> child_;
  child_process::exit_callback on_exit_;
  boost::asio::posix::stream_descriptor descriptor_;
  bool reaped_ = false;
};

class owned_child final : public child_process {
public:
  explicit owned_child(std::shared_ptr<running_child> child) : child_(std::move(child)) {}
  ~owned_child() override {
    if (!child_->outlives())
      child_->signal(SIGKILL);
  }

  pid_t pid() const noexcept override { return child_->pid(); }
  void signal(int number) override { child_->signal(number); }

private:
  std::shared_ptr<running_child> child_;
};

} // namespace

result<std::shared_ptr<child_process>>
child_process::start(event_loop& loop, const child_command& command, exit_callback on_exit) {
  for (auto fd : command.inherited)
    if (fd <= STDERR_FILENO)
      return failure{EBADF, "descriptor " + std::to_string(fd) + " can't be inherited"};
  if (command.user && (command.user->uid == 0 || command.user->gid == 0))
    return failure{EINVAL, "\"" + command.program + "\" can't be confined to root"};
  auto pid = fork_and_exec(command);
  if (!pid)
    return pid.why();
  unique_fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0))};
  if (!pidfd) {
    auto why = last_failure("pidfd_open");
    ::kill(*pid, SIGKILL); // Not waited for yet, so the number is still its own.
    reap(*pid);
    return why;
  }
  auto child = std::make_shared<running_child>(*pid, std::move(pidfd), command.outlives);
  std::shared_ptr<child_process> owner = std::make_shared<owned_child>(child);
  try {
    exit_watch::wait(std::make_unique<exit_watch>(loop, child, std::move(on_exit)));
  } catch (const boost::system::system_error& error) {
    child->signal(SIGKILL);
    child->try_reap(0);
    return failure{error.code().value(), std::string{"epoll: "} + error.what()};
  }
  return owner;
}

} // namespace crosvisor::io
