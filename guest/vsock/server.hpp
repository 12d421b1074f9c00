// SPDX-License-Identifier: Apache-2.0
// Serves many connections on several ports, in one thread.
#pragma once

#include "connection.hpp"
#include "socket.hpp"

#include <memory>

namespace crosvisor::guest {

class server {
public:
  /// Listens on a port. @returns false with errno.
  bool listen(role what, std::uint32_t port);

  /// Serves for ever. @returns, with errno, only when it can't.
  void run();

private:
  struct listener {
    role what = role::none;
    int fd = -1;
  };

  void accept_all(const listener& from);
  void advance(int fd, std::uint32_t events);
  void watch(int fd, std::uint32_t events, int operation);

  static constexpr int most_listeners = 8;

  int epoll_ = -1;
  int listener_count_ = 0;
  listener listeners_[most_listeners];
  std::unique_ptr<connection> connections_[most_descriptors]; // By descriptor.
};

} // namespace crosvisor::guest
