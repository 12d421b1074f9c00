// SPDX-License-Identifier: Apache-2.0
// A port of a guest's on another host, as a socket in this process.
#pragma once

#include "crosvisor/io/stream/credited_socket.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/actor_system.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <variant>

namespace crosvisor {

/// What a stream is opened with, and to whom it goes. Its functions may be called on any thread.
struct stream_options {
  door_actor door;
  vm_cid cid = no_cid;
  std::uint32_t port = 0;
  /// For the guest to take the connection; zero: the service's own bound.
  caf::timespan bound{};
  /// For the door to answer, beyond that.
  caf::timespan answer_bound = std::chrono::seconds{30};
  /// Not null; one for all streams, as it has a thread.
  std::shared_ptr<io::credited_sockets> sockets = nullptr;
  /// Called once: a connected socket, blocking and close-on-exec, whose other end is the guest's
  /// port; or why there is none. Either way is shut down, and the socket closed, as with one on the
  /// guest's own host.
  std::function<void(std::variant<io::unique_fd, caf::error>)> on_open = nullptr;
  /// Called once after a socket: both ways have ended, and all that was written to the socket is
  /// the guest's; or why not: see stream_client_actor, and remote_link_unreachable where the door
  /// is lost.
  std::function<void(const caf::error&)> on_end = nullptr;
};

/// Opens a stream through the door.
void open_stream(caf::actor_system& system, stream_options options);

} // namespace crosvisor
