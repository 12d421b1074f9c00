// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/folder_lock.hpp"

#include "crosvisor/io/timed_lock.hpp"

#include <sys/file.h>

#include <cerrno>

namespace crosvisor::io {

bool lock_folder(int folder) noexcept {
  // Whoever looks, as below, has it for an instant.
  return lock_within(folder, std::chrono::milliseconds{20});
}

bool is_folder_locked(int folder) noexcept {
  // Shared, so that those who look don't see each other.
  if (::flock(folder, LOCK_SH | LOCK_NB) != 0)
    return errno == EWOULDBLOCK;
  ::flock(folder, LOCK_UN);
  return false;
}

} // namespace crosvisor::io
