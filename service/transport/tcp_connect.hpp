// SPDX-License-Identifier: Apache-2.0
// Connecting to another host.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace crosvisor::transport {

/// When something has to be done.
class deadline {
public:
  explicit deadline(std::chrono::milliseconds bound)
      : end_(std::chrono::steady_clock::now() + bound) {}

  /// Zero when it is over.
  std::chrono::milliseconds left() const;

private:
  std::chrono::steady_clock::time_point end_;
};

/// Waits until `socket` has one of poll(2)'s `events`, an error included. @returns whether it has.
bool wait_for(int socket, short events, std::chrono::milliseconds bound);

/// A connected socket that does not block. Blocks until `until`; looking up a name may take longer
/// where that isn't done by DNS, whose servers are asked once each. The failure begins with what
/// was tried.
io::result<io::unique_fd> connect_tcp(const std::string& host, std::uint16_t port,
                                      const deadline& until);

} // namespace crosvisor::transport
