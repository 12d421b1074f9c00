// SPDX-License-Identifier: Apache-2.0
// What is ready: epoll(7) with a number for each descriptor.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <span>

namespace crosvisor::io::vsock {

/// Waits for many descriptors. It owns none: remove() one before closing it, as the VMM may hold
/// the same file open.
class poller {
public:
  static result<poller> make();

  /// @param events of epoll_ctl(2), EPOLLET included where wanted.
  bool add(int fd, std::uint32_t events, std::uint64_t token) noexcept;
  bool modify(int fd, std::uint32_t events, std::uint64_t token) noexcept;
  void remove(int fd) noexcept;

  /// What is ready now or within `timeout`; valid until the next call. A negative one has no end.
  std::span<const epoll_event> wait(std::chrono::milliseconds timeout) noexcept;

private:
  explicit poller(unique_fd fd) : fd_(std::move(fd)) {}

  unique_fd fd_;
  std::array<epoll_event, 64> events_{};
};

} // namespace crosvisor::io::vsock
