// SPDX-License-Identifier: Apache-2.0
// Descriptors 0, 1 and 2, which a program may be started without.
#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace crosvisor::io {

/// Opens standard streams that are closed on /dev/null, so that nothing else gets their numbers.
inline void fill_standard_streams() noexcept {
  int fd = 0;
  do
    fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0)
    ::close(fd);
}

} // namespace crosvisor::io
