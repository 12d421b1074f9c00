// SPDX-License-Identifier: Apache-2.0
// The socket over which local clients and the service hand each other descriptors.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/tickets/ticket_store.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/caller.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace crosvisor::io {

/// How much of its connections' bounds a door uses. Any thread.
struct descriptor_door_use {
  std::atomic<std::size_t> connections{0};
  std::atomic<std::uint64_t> refused{0}; ///< By either bound.
};

struct descriptor_door_options {
  std::shared_ptr<ticket_store> tickets;
  /// Whether somebody may connect at all.
  std::function<bool(const caller&)> admits;
  std::size_t connections_per_uid = 64;
  std::size_t connections = 512;
  /// A connection that is silent for so long is closed.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds{60};
  /// Kept up to date; null: nobody asks.
  std::shared_ptr<descriptor_door_use> use = nullptr;
};

/// Serves clients of a listening AF_UNIX SOCK_SEQPACKET socket, on a thread of its own. Each
/// request is one packet of at most 64 bytes, as is each answer:
///
///     put       with 1 to 32 descriptors (SCM_RIGHTS): "ok TICKET..." in their order, or "no WHY"
///     take TICKET                                    : "ok" with one descriptor, or "no WHY"
///
/// (an answer to `put` is longer, 33 bytes a ticket). What is no request ends the connection.
/// Descriptors that can only be named, not used (O_PATH), are refused. Who a client is, is the
/// kernel's word. Letting go of the door closes the socket and every connection.
class descriptor_door {
public:
  /// @param listening taken over.
  static result<std::unique_ptr<descriptor_door>> open(unique_fd listening,
                                                       descriptor_door_options options);
  virtual ~descriptor_door() = default;
};

/// Who is at the other end of a connected Unix socket: SO_PEERCRED, SO_PEERGROUPS, SO_PEERSEC.
result<caller> peer_of(int socket);

} // namespace crosvisor::io
