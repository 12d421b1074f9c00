// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/bounded_read.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace crosvisor::io {

result<std::string> read_bounded(int fd, std::size_t most) {
  constexpr std::size_t step = 64 << 10;
  std::string text;
  while (text.size() < most) {
    auto had = text.size();
    text.resize(had + std::min(step, most - had));
    auto n = ::pread(fd, text.data() + had, text.size() - had, static_cast<off_t>(had));
    auto code = errno;
    text.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && code != EINTR)
      return failure{code, std::strerror(code)};
    if (n == 0)
      break;
  }
  return text;
}

} // namespace crosvisor::io
