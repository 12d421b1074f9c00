// SPDX-License-Identifier: Apache-2.0
// All clients of the descriptor door.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/tickets/descriptor_connection.hpp"
#include "crosvisor/io/tickets/descriptor_door.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace crosvisor::io {

/// Accepts clients within bounds, ends those that are silent, and has tickets that are too old
/// closed. Use from the loop's thread alone, which outlives it.
class descriptor_clients : public std::enable_shared_from_this<descriptor_clients> {
public:
  /// Throws boost::system::system_error where the host has no resources left.
  /// @param listening non-blocking; taken over.
  descriptor_clients(event_loop& loop, unique_fd listening, descriptor_door_options options);

  void begin();

  /// Ends every connection.
  void end();

private:
  using process = std::pair<std::uint32_t, std::int32_t>; // uid and pid

  void wait();
  void accept();
  void rest();
  void tick();
  void admit(unique_fd socket);
  std::optional<std::string> refusal(const caller& who) const;
  std::optional<std::string> bound_reached(const caller& who) const;
  void tell_use();
  void leave(descriptor_connection& ended);
  void end_silent_ones();

  event_loop& loop_;
  const descriptor_door_options options_;
  boost::asio::posix::stream_descriptor listening_;
  boost::asio::steady_timer pause_;
  boost::asio::steady_timer clock_;
  background_closer closer_;
  std::set<std::shared_ptr<descriptor_connection>> connections_;
  std::map<std::uint32_t, std::size_t> per_uid_;
  std::map<process, std::size_t> per_process_;
};

} // namespace crosvisor::io
