// SPDX-License-Identifier: Apache-2.0
// A client's end of the descriptor door.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/door_messages.hpp"

#include <chrono>
#include <string>

namespace crosvisor::io {

/// A connection to a descriptor_door. Each call blocks until it is answered, at most `bound`; what
/// the service refuses has code 0. A call that fails otherwise closes the channel (ENOTCONN from
/// then on). The service keeps what was put only as long as this process has a channel open. Use
/// from one thread at a time.
class descriptor_channel {
public:
  static result<descriptor_channel> connect(const std::string& path,
                                            std::chrono::milliseconds bound);

  /// Hands over copies of all of them; the tickets are in their order, with `image:NAME` in the
  /// places of stored images. What was handed over before
  /// a failure is closed in time.
  result<ticket_list> put(const descriptor_set& files);

  /// What the service left for this process.
  result<unique_fd> take(const ticket& of);

private:
  descriptor_channel(unique_fd socket, std::chrono::milliseconds bound)
      : socket_(std::move(socket)), bound_(bound) {}

  unique_fd socket_; // None once it is closed.
  std::chrono::milliseconds bound_;
};

} // namespace crosvisor::io
