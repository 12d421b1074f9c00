// SPDX-License-Identifier: Apache-2.0
// Connected sockets, as a guest's connections are.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/tests/io/leftovers.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace crosvisor::tests {

/// The far end, and the one that is handed over.
struct connected_pair {
  io::unique_fd far;
  io::stream_socket near;

  explicit connected_pair(int type = SOCK_STREAM) {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0)
      std::abort();
    far = io::unique_fd{ends[0]};
    near = std::make_shared<io::unique_fd>(ends[1]);
  }
};

inline bool say(const io::unique_fd& to, const std::string& text) {
  return ::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL)
         == static_cast<ssize_t>(text.size());
}

/// Everything up to the end of file, or what came before patience ended.
inline std::string read_all(const io::unique_fd& from) {
  std::string all;
  char buffer[65536];
  pollfd ready{from.get(), POLLIN, 0};
  auto bound_ms = static_cast<int>(std::chrono::milliseconds{patience}.count());
  while (::poll(&ready, 1, bound_ms) == 1) {
    auto got = ::read(from.get(), buffer, sizeof(buffer));
    if (got <= 0)
      return all;
    all.append(buffer, static_cast<std::size_t>(got));
  }
  return all + "(no end)";
}

/// So many bytes, or fewer when patience or the stream ends.
inline std::string read_some(const io::unique_fd& from, std::size_t count) {
  std::string all(count, '\0');
  std::size_t have = 0;
  pollfd ready{from.get(), POLLIN, 0};
  auto bound_ms = static_cast<int>(std::chrono::milliseconds{patience}.count());
  while (have < count && ::poll(&ready, 1, bound_ms) == 1) {
    auto got = ::read(from.get(), all.data() + have, count - have);
    if (got <= 0)
      break;
    have += static_cast<std::size_t>(got);
  }
  all.resize(have);
  return all;
}

} // namespace crosvisor::tests
