// SPDX-License-Identifier: Apache-2.0
// Runs what changes a process in a process of its own.
#pragma once

#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>

namespace crosvisor::tests {

/// What `task`, which returns a text, says in a child of this process. Empty where it crashes, or
/// takes longer than ten seconds.
template <class Task>
std::string said_in_child(Task task) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error("pipe2");
  io::unique_fd from{ends[0]};
  io::unique_fd to{ends[1]};
  auto child = ::fork();
  if (child < 0)
    throw std::runtime_error("fork");
  if (child == 0) {
    // Out of the way of descriptors with numbers that mean something.
    auto out = ::fcntl(to.get(), F_DUPFD_CLOEXEC, 100);
    from.reset();
    to.reset();
    std::string text = task();
    auto written = ::write(out, text.data(), text.size());
    ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  to.reset();
  std::string said;
  char bytes[4096];
  pollfd waits{from.get(), POLLIN, 0};
  while (::poll(&waits, 1, 10'000) == 1) {
    auto got = ::read(from.get(), bytes, sizeof bytes);
    if (got <= 0)
      break;
    said.append(bytes, static_cast<std::size_t>(got));
  }
  ::kill(child, SIGKILL); // It has ended, or hangs.
  ::waitpid(child, nullptr, 0);
  return said;
}

} // namespace crosvisor::tests
