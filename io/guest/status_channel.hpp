// SPDX-License-Identifier: Apache-2.0
// A guest's status connections, line by line.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/event_loop.hpp"

#include <functional>
#include <memory>
#include <set>

namespace crosvisor::io {

/// How many status connections of one guest may be open at once; more are closed.
inline constexpr std::size_t max_status_connections = 8;

/// How many lines one guest may send in its life: four mean something, the others are room for
/// guests that repeat themselves. Then the channel is closed for good.
inline constexpr std::size_t max_status_lines = 64;

/// Reads status lines and passes on what they say. All calls on the loop's thread.
class status_channel : public std::enable_shared_from_this<status_channel> {
public:
  status_channel(event_loop& loop, stream_callbacks callbacks);

  void take(const stream_socket& socket);

  /// Takes no connection any more; `done` is called once those that are there have ended, or with
  /// cut().
  void finish(std::function<void()> done);

  /// Closes all connections.
  void cut();

  /// Nothing is passed on any more.
  void let_go();

private:
  struct connection;

  void wait(const std::shared_ptr<connection>& from);
  void read(const std::shared_ptr<connection>& from);
  /// False when the connection must end.
  bool take_lines(connection& from);
  void end(const std::shared_ptr<connection>& from);
  void complain(std::string what);
  void check_finished();

  event_loop& loop_;
  stream_callbacks callbacks_;
  std::set<std::shared_ptr<connection>> connections_;
  std::size_t lines_ = 0;
  bool complained_ = false;
  bool finishing_ = false;
  std::function<void()> done_;
};

} // namespace crosvisor::io
