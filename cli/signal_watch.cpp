// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/signal_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace crosvisor::cli {

namespace {

/// Those that were not ignored when the program began. The kernel queues a blocked signal even
/// where it is ignored, so a signalfd would hear what nohup and background jobs turned off.
sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (auto number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler != SIG_IGN)
      sigaddset(&set, number);
  }
  return set;
}

} // namespace

void block_ending_signals() {
  auto set = ending_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

io::result<std::unique_ptr<signal_watch>> signal_watch::start(std::function<void(int)> on_signal) {
  auto set = ending_signals();
  io::unique_fd signals{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!signals)
    return io::last_failure("signalfd");
  io::unique_fd stop{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!stop)
    return io::last_failure("eventfd");
  return std::make_unique<signal_watch>(std::move(signals), std::move(stop), std::move(on_signal));
}

signal_watch::signal_watch(io::unique_fd signals, io::unique_fd stop,
                           std::function<void(int)> on_signal)
    : signals_(std::move(signals)), stop_(std::move(stop)), on_signal_(std::move(on_signal)) {
  thread_ = std::thread{[this] { run(); }};
}

signal_watch::~signal_watch() {
  std::uint64_t one = 1;
  while (::write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
}

void signal_watch::run() {
  std::array<pollfd, 2> fds{{{signals_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
  while ((fds[1].revents & POLLIN) == 0) {
    if (::poll(fds.data(), fds.size(), -1) < 0)
      continue;
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      on_signal_(static_cast<int>(info.ssi_signo));
  }
}

} // namespace crosvisor::cli
