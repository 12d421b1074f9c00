// SPDX-License-Identifier: Apache-2.0
// What the clients of all transports have in common.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/service/transport/guarded_connection.hpp"
#include "crosvisor/service/transport/transport.hpp"

#include <caf/actor_system.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/io/network/default_multiplexer.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace crosvisor::transport {

/// Makes the connection of a connected socket, with the terms given; null: it can't.
using dialing_factory = std::function<caf::intrusive_ptr<guarded_connection>(
  caf::io::network::default_multiplexer&, io::unique_fd, connection_terms)>;

/// Shakes hands with a service over a connected socket, which is taken over, and checks that its
/// door has our interface. Blocks for `bound` at most.
/// @param where the service, for errors: `unix:/run/crosvisor/crosvisor.sock`.
/// @param connected CAF's socket; made non-blocking.
io::result<door_actor> meet(caf::actor_system& system, io::unique_fd connected,
                            const dialing_factory& make, const std::string& where,
                            std::chrono::milliseconds bound);

/// The failure of a system that load_middleman() was not called for; nothing for others.
io::result<caf::io::network::default_multiplexer*> loop_of(caf::actor_system& system);

} // namespace crosvisor::transport
