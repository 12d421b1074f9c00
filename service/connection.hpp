// SPDX-License-Identifier: Apache-2.0
// A client's way to a service: in this process, on this host, or on another.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/embedded_service.hpp"
#include "crosvisor/service/endpoint.hpp"
#include "crosvisor/service/transport/tls_identity.hpp"

#include <caf/actor_system.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace crosvisor {

struct connection_options {
  endpoint where;
  /// For tls alone.
  transport::tls_files tls;
  /// For embedded alone.
  embedded_service_options embedded;
  /// For the connection to be made.
  std::chrono::milliseconds bound = std::chrono::seconds{5};
};

/// An actor system and the door that it reaches. Use from one thread at a time.
class connection {
public:
  /// Blocks until the service answers, or for an embedded one until the host was probed.
  static io::result<std::unique_ptr<connection>> open(const connection_options& options);

  virtual ~connection() = default;

  virtual caf::actor_system& system() noexcept = 0;
  virtual const door_actor& door() const noexcept = 0;

  /// Where the service is.
  virtual const endpoint& where() const noexcept = 0;

  /// Connects anew after the door was lost; it is then another handle. Blocks for `bound` at most.
  /// Fails where there is nothing to connect to: an embedded service has ended for good.
  virtual io::result<void> reconnect(std::chrono::milliseconds bound) = 0;

  /// Null unless the service is embedded.
  virtual embedded_service* embedded() noexcept = 0;

  /// Whether descriptors can be passed: not to another host.
  virtual bool passes_descriptors() const noexcept = 0;

  /// Tickets for copies of the descriptors, and the names of stored images. Blocks for a moment.
  virtual io::result<ticket_list> give(const io::descriptor_set& files) = 0;

  /// The descriptor of a ticket that the door answered. Blocks for a moment.
  virtual io::result<io::unique_fd> take(const ticket& of) = 0;
};

} // namespace crosvisor
