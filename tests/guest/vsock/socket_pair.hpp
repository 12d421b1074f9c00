// SPDX-License-Identifier: Apache-2.0
// A connection between a test, for the host, and what runs in the guest.
#pragma once

#include <caf/test/dsl.hpp>

#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>

namespace crosvisor::tests {

struct socket_pair {
  explicit socket_pair(int flags = 0) {
    // As the guest's main() does.
    std::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, ends) != 0)
      CAF_FAIL("socketpair");
    host = ends[0];
    guest = ends[1];
  }
  socket_pair(const socket_pair&) = delete;
  socket_pair& operator=(const socket_pair&) = delete;
  ~socket_pair() {
    close_host();
    close_guest();
  }

  void close_host() { close(host); }
  void close_guest() { close(guest); }

  /// What the host can read now or, where its end blocks, until the guest's end.
  std::string read_all() {
    std::string all;
    char buffer[65536];
    while ((last_read = ::read(host, buffer, sizeof buffer)) > 0)
      all.append(buffer, static_cast<std::size_t>(last_read));
    return all;
  }

  /// Whether the last read_all() came to the guest's end.
  bool ended() const { return last_read == 0; }

  /// Writes what fits. @returns how much that was.
  std::size_t write_some(std::string_view text) {
    auto written = ::send(host, text.data(), text.size(), MSG_NOSIGNAL);
    return written < 0 ? 0 : static_cast<std::size_t>(written);
  }

  void end_host() { ::shutdown(host, SHUT_WR); }

  int host;
  int guest;
  ssize_t last_read = -1;

private:
  static void close(int& fd) {
    if (fd >= 0)
      ::close(std::exchange(fd, -1));
  }
};

} // namespace crosvisor::tests
