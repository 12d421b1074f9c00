// SPDX-License-Identifier: Apache-2.0
// What happened to a keeper's VM so far.
#pragma once

#include "crosvisor/io/backend.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

namespace crosvisor::io {

/// One thing that happened, as keeper_protocol.hpp has it.
struct keeper_fact {
  enum class kind : std::uint8_t {
    up,
    launch_failed,
    fault,
    exit,
    status,
    bad_status,
    connection,
    step
  };

  kind what = kind::up;
  std::string packet;           ///< Its JSON object.
  std::uint64_t connection = 0; ///< Of a `connection`: its number.
  std::uint32_t port = 0;       ///< Of a `connection`: the host's.
  stream_socket socket = {};    ///< Of a `connection`: the guest's; null: the keeper reads it.
  std::uint8_t status_kind = 0; ///< Of a `status`: which of payload_status_kind.
};

/// Everything that each service is told anew, in its order and within bounds: of a launch's steps
/// the first, of faults the last, of status lines the first of each kind and the first of the
/// others, of guests' connections those that nobody has taken yet, and of each port the first that
/// is read. Pure; one thread.
class keeper_facts {
public:
  static constexpr std::size_t max_faults = 8;
  static constexpr std::size_t max_repeated_statuses = 16;
  static constexpr std::size_t max_connections = 32;

  /// Whether it is kept.
  bool add(keeper_fact fact);

  /// The connection of that number, to be read: it stays as read_waiting() says. Null where there
  /// is none that waits.
  stream_socket take(std::uint64_t connection);

  /// Closes the connection of that number, if it waits, and forgets it.
  void drop(std::uint64_t connection);

  /// Gives all connections that wait to `read`. Of each port the first one stays as a fact, since
  /// the next service must know that there was one.
  void read_waiting(const std::function<void(std::uint32_t port, stream_socket socket)>& read);

  /// Closes and forgets all connections.
  void drop_connections();

  bool has(keeper_fact::kind what) const;

  const std::deque<keeper_fact>& all() const noexcept { return facts_; }

private:
  std::size_t count(keeper_fact::kind what) const;
  std::deque<keeper_fact>::iterator find_waiting(std::uint64_t connection);
  bool has_status(std::uint8_t status_kind) const;

  std::deque<keeper_fact> facts_;
  std::size_t repeated_statuses_ = 0;
};

} // namespace crosvisor::io
