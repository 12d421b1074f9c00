// SPDX-License-Identifier: Apache-2.0
// The one place where CAF meets sockets: the door, served to other processes and hosts, and reached
// from there.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/caller_directory.hpp"
#include "crosvisor/service/transport/tls_identity.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::transport {

/// What one peer may cost.
struct peer_limits {
  /// Bytes of one message; see notes in basp_guard.hpp.
  std::uint32_t message_bytes = 1u << 20;
  /// Bytes of answers that a peer has not read; more ends its connection.
  std::size_t unread_bytes = 8u << 20;
  /// Connections of one uid or certificate's subject, those without a handshake included; and in
  /// all.
  std::size_t connections_per_principal = 128;
  std::size_t connections = 1024;
  /// From a connection until its handshake is done.
  std::chrono::milliseconds handshake = std::chrono::seconds{5};
  /// A peer on another host that was not heard of for so long is lost: 3 s or more, since each side
  /// sends a sign of life every third of it, and every two seconds at least.
  std::chrono::milliseconds silence = std::chrono::seconds{6};
};

struct listen_options {
  peer_limits limits;
  /// Whether somebody may connect at all; called on CAF's I/O thread. Empty: everybody may.
  std::function<bool(const caller&)> admits;
  /// What it is called in metrics; listen_unix() and listen_tls() say it.
  std::string name = {};
};

/// Makes CAF's network part known to `config`, which a system that serves or connects needs. The
/// working directory's caf-application.ini is not read.
void load_middleman(caf::actor_system_config& config);

/// The peers of all listeners. One for a system.
class peers : public caller_directory {
public:
  /// @param own what senders in this process are.
  static std::shared_ptr<peers> make(caf::actor_system& system, caller own);

  /// How many connections there are, those without a handshake included.
  virtual std::size_t connections() const = 0;

  /// The bounds of all listeners as they are: `connections` and `connections_per_user`; with
  /// somebody named the second alone, of theirs.
  virtual std::vector<limit_info> limits(const caller* of) const = 0;

  /// The connections of each listener, `unix` and `tls`, as metrics.
  virtual std::vector<metric_family> metrics() const = 0;
};

/// Serves `door` on a listening AF_UNIX SOCK_STREAM socket, which is taken over. Connections go
/// through the guard (basp_guard.hpp).
io::result<void> listen_unix(caf::actor_system& system, const door_actor& door,
                             io::unique_fd listening, const std::shared_ptr<peers>& known,
                             listen_options options);

/// The same on a listening TCP socket, with TLS, and for those who have a certificate of its CA.
/// `identity` is asked for with each connection, so that a renewed certificate is used from then
/// on; null refuses. There is no way to serve other hosts without TLS: listen_unix() takes no other
/// socket than its own kind, and this one nobody without a certificate.
io::result<void> listen_tls(caf::actor_system& system, const door_actor& door,
                            io::unique_fd listening, const std::shared_ptr<peers>& known,
                            std::function<std::shared_ptr<const tls_identity>()> identity,
                            listen_options options);

/// Closes all listeners and connections of the system; what is under way is lost.
void close_all(caf::actor_system& system);

/// Connects to a daemon's socket. Blocks for `bound` at most. The handle goes down, as seen by a
/// monitor, when the connection is lost; requests that are pending then are answered by nothing but
/// their own timeout, so monitor it.
io::result<door_actor> connect_unix(caf::actor_system& system, const std::string& path,
                                    std::chrono::milliseconds bound);

/// The same over TLS. The daemon's certificate must be for `host`, which is a name or an address.
/// Looking up a name may take longer than `bound`, where that is not done by DNS.
io::result<door_actor> connect_tls(caf::actor_system& system, const std::string& host,
                                   std::uint16_t port,
                                   const std::shared_ptr<const tls_identity>& identity,
                                   std::chrono::milliseconds bound);

} // namespace crosvisor::transport
