// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/timed_lock.hpp"

#include <sys/file.h>

#include <cerrno>
#include <thread>

namespace crosvisor::io {

bool lock_within(int file, std::chrono::milliseconds bound) noexcept {
  using clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds pause{1};
  auto end = clock::now() + bound;
  while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return false;
    if (clock::now() >= end) {
      errno = EWOULDBLOCK;
      return false;
    }
    // flock(2) waits without a bound or not at all, and nothing tells of a lock that is free.
    std::this_thread::sleep_for(pause);
  }
  return true;
}

} // namespace crosvisor::io
