// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/service_signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace crosvisor::io {

namespace {

sigset_t service_signals() noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (auto number : {SIGTERM, SIGINT, SIGHUP, SIGUSR2})
    sigaddset(&set, number);
  return set;
}

} // namespace

void block_service_signals() noexcept {
  auto set = service_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

result<unique_fd> open_service_signals() {
  auto set = service_signals();
  unique_fd signals{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!signals)
    return last_failure("signalfd");
  return signals;
}

std::optional<int> read_signal(int descriptor) noexcept {
  signalfd_siginfo info{};
  ssize_t got = 0;
  do
    got = ::read(descriptor, &info, sizeof info);
  while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof info))
    return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

} // namespace crosvisor::io
