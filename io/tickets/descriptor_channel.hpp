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

/// A connection to a descriptor_door. Each call blocks until it is answered, at most `bound`. Use
/// from one thread at a time.
class descriptor_channel {
public:
  static result<descriptor_channel> connect(const std::string& path,
                                            std::chrono::milliseconds bound);

  /// Hands over copies of all of them; the tickets are in their order.
  result<ticket_list> put(const descriptor_set& files);

  /// What the service left for this process.
  result<unique_fd> take(const ticket& of);

private:
  explicit descriptor_channel(unique_fd socket) : socket_(std::move(socket)) {}

  unique_fd socket_;
};

} // namespace crosvisor::io
