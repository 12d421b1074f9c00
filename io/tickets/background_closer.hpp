// SPDX-License-Identifier: Apache-2.0
// Closes the descriptors of strangers.
#pragma once

#include "crosvisor/io/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace crosvisor::io {

/// Closes descriptors on threads of their own, one for each uid and only while there is something
/// to do: close(2) waits for a file system in user space to answer, for a socket with SO_LINGER,
/// for a terminal to drain, and so for as long as whoever made the descriptor likes. Then only that
/// uid's others wait with it. Any thread; nothing but the destructor blocks.
class background_closer {
public:
  background_closer();
  background_closer(const background_closer&) = delete;
  background_closer& operator=(const background_closer&) = delete;
  /// Waits until all is closed, for at most a second; what takes longer is left to its thread.
  ~background_closer();

  /// @param uid whose descriptors they are.
  void close(std::uint32_t uid, std::vector<unique_fd> fds);
  void close(std::uint32_t uid, unique_fd fd);

  /// How many of that uid are not closed yet.
  std::size_t waiting(std::uint32_t uid) const;

private:
  struct state;
  std::shared_ptr<state> state_;
};

} // namespace crosvisor::io
