// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/folder_lock.hpp"

#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace crosvisor::io {

bool lock_folder(int folder) noexcept {
  constexpr auto tries = 20;
  constexpr std::chrono::milliseconds pause{1};
  for (auto i = 0; ::flock(folder, LOCK_EX | LOCK_NB) != 0; ++i) {
    if (errno != EWOULDBLOCK || i == tries)
      return false;
    // Whoever looks, as below, has it for an instant, and flock(2) waits without a bound or not.
    std::this_thread::sleep_for(pause);
  }
  return true;
}

bool is_folder_locked(int folder) noexcept {
  // Shared, so that those who look don't see each other.
  if (::flock(folder, LOCK_SH | LOCK_NB) != 0)
    return errno == EWOULDBLOCK;
  ::flock(folder, LOCK_UN);
  return false;
}

} // namespace crosvisor::io
