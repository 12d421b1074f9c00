// SPDX-License-Identifier: Apache-2.0
// One client of the descriptor door.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/tickets/background_closer.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"
#include "crosvisor/io/tickets/ticket_store.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/caller.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace crosvisor::io {

/// What the connections share.
struct descriptor_keepers {
  std::shared_ptr<ticket_store> tickets;
  background_closer& closer; ///< Of what is not kept.
};

/// Answers one client's requests, one after the other, until what comes is no request, an answer
/// can't be sent at once, or the client leaves. Use from the loop's thread alone.
class descriptor_connection : public std::enable_shared_from_this<descriptor_connection> {
public:
  using ending = std::function<void(descriptor_connection& ended)>;

  /// @param socket connected.
  /// @param ended called once, with a connection that is closed.
  static result<std::shared_ptr<descriptor_connection>>
  make(event_loop& loop, unique_fd socket, caller who, descriptor_keepers keepers, ending ended);

  descriptor_connection(event_loop& loop, caller who, descriptor_keepers keepers, ending ended);

  /// Waits for the next request.
  void wait();

  void end();

  const caller& who() const noexcept { return who_; }

  /// When the last request came.
  std::chrono::steady_clock::time_point heard() const noexcept { return heard_; }

private:
  void serve();
  bool answer(descriptor_packet packet);
  bool answer_put(std::vector<unique_fd> fds);
  bool answer_take(const ticket& of);
  bool refuse(std::string_view why);
  bool refuse(std::string_view why, std::vector<unique_fd> fds);
  result<std::vector<ticket>> keep(std::vector<unique_fd> fds);

  boost::asio::posix::stream_descriptor socket_;
  const caller who_;
  const descriptor_keepers keepers_;
  ending ended_;
  std::chrono::steady_clock::time_point heard_;
};

} // namespace crosvisor::io
