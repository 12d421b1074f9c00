// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/descriptor_copy.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace crosvisor::cli {

namespace {

/// Whether the call may be repeated; waits where the descriptor is not ready. Whoever shares its
/// description may have made it non-blocking.
bool may_go_on(int fd, short what) {
  if (errno == EINTR)
    return true;
  if (errno != EAGAIN)
    return false;
  pollfd one{fd, what, 0};
  ::poll(&one, 1, -1);
  return true;
}

} // namespace

bool write_whole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0)
      bytes.remove_prefix(static_cast<std::size_t>(n));
    else if (!may_go_on(fd, POLLOUT))
      return false;
  }
  return true;
}

ssize_t read_some(int fd, std::vector<char>& buffer) {
  for (;;) {
    auto n = ::read(fd, buffer.data(), buffer.size());
    if (n >= 0 || !may_go_on(fd, POLLIN))
      return n;
  }
}

} // namespace crosvisor::cli
