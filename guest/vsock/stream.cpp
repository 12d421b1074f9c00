// SPDX-License-Identifier: Apache-2.0
#include "stream.hpp"

#include "pattern.hpp"

#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <poll.h>
#include <spawn.h>
#include <unistd.h>

namespace crosvisor::guest {

namespace {

ssize_t read_some(int fd, void* data, std::size_t size) {
  ssize_t got;
  do {
    got = ::read(fd, data, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

long now() {
  timespec time;
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
}

/// @returns 0 or an errno value.
int spawn(pid_t& child, char* const* arguments, int output) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  if (output >= 0)
    ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  // We ignore it, and a program inherits that.
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  auto error = ::posix_spawnp(&child, arguments[0], &files, &attributes, arguments, environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  return error;
}

} // namespace

bool write_all(int fd, const void* data, std::size_t size) {
  auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    auto written = ::write(fd, bytes, size);
    if (written < 0 && errno != EINTR)
      return false;
    if (written > 0) {
      bytes += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  return true;
}

const pattern& shared_pattern() {
  static const pattern shared;
  return shared;
}

bool copy(int from, int to) {
  char buffer[16384];
  for (;;) {
    auto got = read_some(from, buffer, sizeof buffer);
    if (got <= 0)
      return got == 0;
    if (!write_all(to, buffer, static_cast<std::size_t>(got)))
      return false;
  }
}

bool send_pattern(int fd, std::uint64_t bytes) {
  for (std::uint64_t sent = 0; sent < bytes;) {
    auto size = static_cast<std::size_t>(std::min<std::uint64_t>(pattern::chunk, bytes - sent));
    if (!write_all(fd, shared_pattern().at(sent).data(), size))
      return false;
    sent += size;
  }
  return true;
}

bool close_and_wait(int fd, int bound) {
  if (::shutdown(fd, SHUT_WR) != 0)
    return false;
  char dropped[4096];
  for (auto deadline = now() + bound;;) {
    pollfd readable{fd, POLLIN, 0};
    auto left = deadline - now();
    if (::poll(&readable, 1, static_cast<int>(std::max(left, 0L))) == 0) {
      errno = ETIMEDOUT;
      return false;
    }
    if (auto got = read_some(fd, dropped, sizeof dropped); got <= 0)
      return got == 0;
  }
}

int run_program(char* const* arguments, int output) {
  pid_t child;
  if (auto error = spawn(child, arguments, output); error != 0) {
    ::dprintf(STDERR_FILENO, "vsock: %s: %s\n", arguments[0], std::strerror(error));
    return 127;
  }
  int status;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

} // namespace crosvisor::guest
