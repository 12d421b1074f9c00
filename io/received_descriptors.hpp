// SPDX-License-Identifier: Apache-2.0
// The descriptors that came with a message (SCM_RIGHTS in unix(7)).
#pragma once

#include "crosvisor/io/unique_fd.hpp"

#include <sys/socket.h>

#include <cstring>
#include <vector>

namespace crosvisor::io {

/// Appends every descriptor that recvmsg(2) has put into `header` to `to`, which owns them then,
/// however many the sender chose to send.
inline void take_descriptors(msghdr& header, std::vector<unique_fd>& to) {
  for (auto* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
      continue;
    auto count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(fd), sizeof(fd));
      to.emplace_back(fd);
    }
  }
}

} // namespace crosvisor::io
