// SPDX-License-Identifier: Apache-2.0
// The socket to the service: messages of service_protocol.hpp, with what they carry.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/io/vsock/service_protocol.hpp"

#include <cstddef>
#include <deque>
#include <optional>

namespace crosvisor::io::vsock {

/// Sends and receives without ever blocking. What the service does not take at once waits here;
/// while anything waits, no more of its messages are read, so that the number stays bounded by what
/// it and the guest have under way.
class service_channel {
public:
  /// Longest queue that `opened` is added to; answers to the service's own questions always are.
  static constexpr std::size_t queue_limit = 1024;

  /// @param socket AF_UNIX SOCK_SEQPACKET.
  explicit service_channel(unique_fd socket) : socket_(std::move(socket)) {}

  int fd() const noexcept { return socket_.get(); }
  bool has_waiting() const noexcept { return !waiting_.empty(); }
  bool is_full() const noexcept { return waiting_.size() >= queue_limit; }
  /// The service has gone: no more comes from it.
  bool ended() const noexcept { return ended_; }

  /// The next message; none: not now, or ended(). Fails on what is no message of the service's.
  result<std::optional<channel_message>> receive();

  /// Sends, or keeps for flush().
  void send(const channel_message& message, unique_fd carried = {});
  /// Sends what waits, as far as the service takes it.
  void flush();

private:
  struct letter {
    channel_message message;
    unique_fd carried;
  };
  bool try_send(const letter& entry);

  unique_fd socket_;
  std::deque<letter> waiting_;
  bool ended_ = false;
};

} // namespace crosvisor::io::vsock
