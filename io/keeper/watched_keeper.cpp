// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/watched_keeper.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

namespace crosvisor::io {

namespace {

class started_keeper final : public watched_keeper {
public:
  explicit started_keeper(std::shared_ptr<child_process> child) : child_(std::move(child)) {}
  void kill() override { child_->signal(SIGKILL); }

private:
  std::shared_ptr<child_process> child_;
};

class found_keeper_watch final : public watched_keeper {
public:
  found_keeper_watch(event_loop& loop, unique_fd pidfd)
      : pidfd_(std::make_shared<unique_fd>(std::move(pidfd))),
        watch_(std::make_shared<boost::asio::posix::stream_descriptor>(loop.context())) {}

  ~found_keeper_watch() override {
    // On the loop's thread, which is the only one to touch it.
    boost::asio::post(watch_->get_executor(), [watch = watch_, pidfd = pidfd_] {
      if (watch->is_open())
        watch->release();
    });
  }

  result<void> wait(end_callback on_end) {
    boost::system::error_code why;
    watch_->assign(pidfd_->get(), why);
    if (why)
      return failure{why.value(), "epoll: " + why.message()};
    watch_->async_wait(boost::asio::posix::descriptor_base::wait_read,
                       [watch = watch_, pidfd = pidfd_,
                        on_end = std::move(on_end)](const boost::system::error_code& failed) {
                         if (watch->is_open())
                           watch->release(); // The pidfd's to close.
                         if (!failed)
                           on_end({});
                       });
    return {};
  }

  void kill() override { kill_process(pidfd_->get()); }

private:
  std::shared_ptr<unique_fd> pidfd_;
  std::shared_ptr<boost::asio::posix::stream_descriptor> watch_;
};

} // namespace

result<std::shared_ptr<watched_keeper>>
watched_keeper::start(event_loop& loop, const child_command& command, end_callback on_end) {
  auto child = child_process::start(loop, command, std::move(on_end));
  if (!child)
    return child.why();
  std::shared_ptr<watched_keeper> made = std::make_shared<started_keeper>(std::move(*child));
  return made;
}

result<std::shared_ptr<watched_keeper>> watched_keeper::watch(event_loop& loop, unique_fd pidfd,
                                                              end_callback on_end) {
  auto found = std::make_shared<found_keeper_watch>(loop, std::move(pidfd));
  if (auto waits = found->wait(std::move(on_end)); !waits)
    return waits.why();
  return std::shared_ptr<watched_keeper>{std::move(found)};
}

result<unique_fd> open_pidfd(pid_t pid) {
  unique_fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (!pidfd)
    return last_failure("process " + std::to_string(pid));
  return pidfd;
}

bool kill_process(int pidfd) noexcept {
  return ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0) == 0;
}

bool wait_for_end(int pidfd, int bound_ms) noexcept {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{bound_ms};
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                  deadline - std::chrono::steady_clock::now())
                  .count();
    pollfd ended{pidfd, POLLIN, 0};
    auto ready = ::poll(&ended, 1, left > 0 ? static_cast<int>(left) : 0);
    if (ready >= 0 || errno != EINTR)
      return ready > 0;
  }
}

} // namespace crosvisor::io
