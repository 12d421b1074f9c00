// SPDX-License-Identifier: Apache-2.0
// The actor that routes guests' connections to their VMs.
#pragma once

#include "crosvisor/actors/rate_budget.hpp"
#include "crosvisor/actors/timeouts.hpp"
#include "crosvisor/io/backend.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::actors {

struct vsock_acceptor_options {
  std::shared_ptr<io::vsock_listener> listener; ///< Never null; one acceptor at a time uses it.
  registry_actor registry;
  vm_cid first_cid = no_cid; ///< No VM has a CID below.
  vsock_timeouts timeouts;
};

class vsock_acceptor_state {
public:
  using pointer = vsock_acceptor_actor::stateful_pointer<vsock_acceptor_state>;

  static inline const char* name = "vsock-acceptor";
  /// How many connections may wait for the registry; more are closed.
  static constexpr std::size_t max_pending = 1024;

  explicit vsock_acceptor_state(pointer self) : self_(self) {}
  ~vsock_acceptor_state();

  vsock_acceptor_actor::behavior_type make_behavior(vsock_acceptor_options options);

  void take(vm_cid cid, std::uint32_t port, vsock_socket socket);
  void lose(std::uint32_t port, std::string what);
  void listen(std::uint32_t port);
  std::vector<vsock_port> ports() const;

private:
  struct host_port {
    capability served;
    caf::timespan retry{}; ///< Zero: the next retry is the first.
  };

  void hand_over(vm_cid cid, std::uint32_t port, vsock_socket socket);
  void refuse(vm_cid cid, std::uint32_t port, const char* why);
  void try_later(std::uint32_t port, std::string what);

  pointer self_;
  vsock_acceptor_options options_;
  std::map<std::uint32_t, host_port> ports_;
  std::size_t pending_ = 0;
  rate_budget refusals_{10, std::chrono::minutes{1}};
};

/// Opens the listener, serves payload_output_port and payload_status_port, and hands each
/// connection to the supervisor of the VM that it comes from. A connection whose CID no VM of the
/// range can have is refused and logged; one of an unknown VM is closed. A port that can't be
/// served, or is lost, is an error in the log, shown with the ports, and tried again for ever.
/// Monitors nobody; its end closes the listener, and is the service's to mend.
vsock_acceptor_actor::behavior_type
vsock_acceptor(vsock_acceptor_actor::stateful_pointer<vsock_acceptor_state> self,
               vsock_acceptor_options options);

} // namespace crosvisor::actors
