// SPDX-License-Identifier: Apache-2.0
// What the listeners of all transports have in common.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/service/transport/guarded_connection.hpp"
#include "crosvisor/service/transport/peer_registry.hpp"
#include "crosvisor/service/transport/transport.hpp"

#include <caf/actor_system.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/io/network/default_multiplexer.hpp>

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace crosvisor::transport {

/// The terms on which one listener takes clients. Any thread.
class listener_terms {
public:
  listener_terms(caf::actor_system& system, const door_actor& door, const peers& known,
                 listen_options options);

  /// For a connection that was just accepted: a guard, room, deadlines, and how its end is logged.
  /// A failure where there is no room. `silence` and `writes_first` are for the transport to set.
  io::result<connection_terms> welcome();

  /// Who it is, found out: counts it as theirs, asks whether they may connect, and tells the guard.
  /// @param process_ids see service_guard::identify.
  io::result<void> admit(basp_guard& guard, connection_slot& slot, const caller& who,
                         std::vector<std::uint32_t> process_ids);

  /// Logs why a client was turned away, or its connection ended: a line a second at most, so that
  /// nobody can flood the log.
  void complain(const std::string& why);

  const listen_options& options() const noexcept { return options_; }
  const std::shared_ptr<node_table>& nodes() const noexcept { return nodes_; }

private:
  listen_options options_;
  std::shared_ptr<node_table> nodes_;
  std::shared_ptr<connection_quota> quota_;
  std::shared_ptr<const service_guard::terms> guard_terms_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point logged_;
  std::size_t unlogged_ = 0;
};

/// Whether a socket is of one of these families, so that nobody serves a kind of peers whose
/// identity it can't find out.
io::result<void> expect_family(int socket, std::initializer_list<int> families);

/// Makes a connection of a socket that was accepted; null: turned away.
using connection_factory = std::function<caf::intrusive_ptr<guarded_connection>(
  caf::io::network::default_multiplexer&, io::unique_fd)>;

/// Serves `door` on a listening socket: what is accepted goes through `make`, on the I/O thread.
io::result<void> serve(caf::actor_system& system, const door_actor& door, io::unique_fd listening,
                       std::shared_ptr<listener_terms> terms, connection_factory make);

} // namespace crosvisor::transport
