// SPDX-License-Identifier: Apache-2.0
// One connection from the host to one of the guest's services.
#pragma once

#include "pattern.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace crosvisor::guest {

/// What a port does with each connection.
enum class role : std::uint8_t {
  none,
  echo,     ///< Sends back what comes; after the host's end it sends the rest and ends, too.
  sink,     ///< Reads all; after the host's end it answers `BYTES CHECKSUM\n` and ends.
  source,   ///< Reads `BYTES\n`, sends so many bytes of the pattern and ends.
  deaf,     ///< Never reads.
  resetter, ///< Reads a little, then breaks the connection while the rest is on its way.
};

/// What a connection to a resetter may hold unread: more than it takes in the end.
inline constexpr std::uint64_t resetter_buffer = 16u << 20;

/// By its name; `none` for others.
role parse_role(std::string_view name);

/// Works on a descriptor that does not block, and that remains the caller's.
class connection {
public:
  connection(int fd, role what) : fd_(fd), role_(what) {}

  /// The connection is of no more use: close it.
  static constexpr std::uint32_t over = ~std::uint32_t{0};

  /// Does what it can without waiting, but not for long.
  /// @returns the epoll events to wait for, or `over`.
  std::uint32_t step();

private:
  std::uint32_t step_echo();
  std::uint32_t step_sink();
  std::uint32_t step_source();
  std::uint32_t step_resetter();

  /// Reads the request of a source. @returns 0 once it is known, else what step() returns.
  std::uint32_t read_request();

  /// @returns 0 once all of the pattern is sent, else what step() returns.
  std::uint32_t send_requested();

  /// Writes, and keeps what can't be written now. @returns false when the host takes no more.
  bool send(const char* data, std::size_t size);
  /// Writes what was kept. @returns as send().
  bool flush();
  bool has_unsent() const { return unsent_size_ > 0; }

  /// Ends our side; what the host has not ended of its own may come still.
  void end();

  int fd_;
  role role_;
  bool ended_ = false;       // Our side.
  bool known_ = false;       // What a source is to send.
  std::uint8_t digits_ = 0;  // Of its request, so far.
  std::uint64_t target_ = 0; // What it is to send, and has sent.
  std::uint64_t sent_ = 0;
  checksum sum_;
  std::unique_ptr<char[]> unsent_;
  std::size_t unsent_begin_ = 0;
  std::size_t unsent_size_ = 0;
};

} // namespace crosvisor::guest
