// SPDX-License-Identifier: Apache-2.0
// How much of a listener's room each client takes.
#pragma once

#include "crosvisor/messages/caller.hpp"
#include "crosvisor/service/transport/transport.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace crosvisor::transport {

class connection_slot;

/// The connections of one listener, and the memory that they hold. Any thread.
class connection_quota : public std::enable_shared_from_this<connection_quota> {
public:
  /// @param all counts the connections of all listeners.
  static std::shared_ptr<connection_quota> make(const peer_limits& limits,
                                                std::shared_ptr<std::atomic<std::size_t>> all);

  /// Room for a connection of nobody yet; null where there is none. At most half of the room is
  /// for those, so that somebody who proves nothing can't take it all.
  std::unique_ptr<connection_slot> open();

  /// How much of it is taken, and how often there was none.
  struct usage {
    std::size_t open = 0;
    std::size_t most = 0; ///< Of whoever has most, or of whom it was asked.
    std::uint64_t refused = 0;
    std::uint64_t refused_per_principal = 0; ///< Of all, or of whom it was asked.
    std::uint64_t opened = 0;                ///< Those that there ever were.
  };
  /// @param of null: all.
  usage use(const caller* of) const;

  const peer_limits& limits() const noexcept { return limits_; }

  /// The most bytes that all connections of one principal may hold together: answers that were not
  /// read, messages that are not whole. Twice that in the worst case, if each has its part.
  std::size_t bytes_per_principal() const noexcept { return 4 * limits_.unread_bytes; }

private:
  friend class connection_slot;

  struct share {
    std::size_t connections = 0;
    std::size_t bytes = 0;
    std::uint64_t refused = 0; ///< Connections, since there was none.
  };

  connection_quota(const peer_limits& limits, std::shared_ptr<std::atomic<std::size_t>> all);

  peer_limits limits_;
  std::shared_ptr<std::atomic<std::size_t>> all_;
  mutable std::mutex mutex_; ///< Of what follows.
  std::size_t open_ = 0;
  std::size_t unknown_ = 0;
  std::uint64_t opened_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t refused_per_principal_ = 0;
  /// By principal, in words; the empty one is nobody yet.
  std::map<std::string, share> shares_;
};

/// The room of one connection, until this goes. Use from one thread at a time.
class connection_slot {
public:
  ~connection_slot();

  connection_slot(const connection_slot&) = delete;
  connection_slot& operator=(const connection_slot&) = delete;

  /// It is this principal's; not where that one has as many as it may. Once.
  bool assign(const caller& who);

  /// It holds so many bytes now; not where its principal's connections hold more than they may and
  /// this one more than its part of that.
  bool hold(std::size_t bytes);

private:
  friend class connection_quota;

  explicit connection_slot(std::shared_ptr<connection_quota> quota);

  std::shared_ptr<connection_quota> quota_;
  std::string principal_;
  std::size_t bytes_ = 0;
};

} // namespace crosvisor::transport
