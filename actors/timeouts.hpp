// SPDX-License-Identifier: Apache-2.0
// Every bound of a VM's life, named.
#pragma once

#include <caf/timespan.hpp>

#include <chrono>
#include <cstddef>

namespace crosvisor::actors {

/// How long each step may take. All are finite and positive.
struct vm_timeouts {
  /// For a VM's images to be made, its turn in the pool included.
  caf::timespan build = std::chrono::seconds{60};
  /// From giving their making up until the VM counts as dead though a builder is stuck.
  caf::timespan cancel = std::chrono::seconds{5};
  /// From the launch until the VMM's control channel answers.
  caf::timespan start = std::chrono::seconds{30};
  /// Of an adopted VM: for its keeper to tell again what happened before.
  caf::timespan replay = std::chrono::seconds{5};
  /// From one press of the power button to the next, since a guest that is still booting sees none.
  caf::timespan press_again = std::chrono::seconds{2};
  /// From the request to quit until SIGTERM.
  caf::timespan quit = std::chrono::seconds{5};
  /// From SIGTERM until SIGKILL.
  caf::timespan terminate = std::chrono::seconds{3};
  /// From SIGKILL until the VM is given up, its process being stuck in the kernel.
  caf::timespan kill = std::chrono::seconds{5};
  /// From the end of the VMM's process until the VM counts as dead though what its guest sent last
  /// was not read to the end. More than the backend itself takes for it.
  caf::timespan finish = std::chrono::seconds{10};
  /// How long a guest that speaks the status protocol may run without saying that its payload
  /// started, when its configuration does not tell; the second one where it is emulated.
  caf::timespan hangup = std::chrono::seconds{30};
  caf::timespan hangup_slow = std::chrono::seconds{300};
  /// For a connection to a guest's port, when the request does not tell.
  caf::timespan connect = std::chrono::seconds{5};
  /// From a death to the next life, where the VM's policy wants one; doubled each time, up to the
  /// second, until a life was stable, which is one of so long.
  caf::timespan restart_first = std::chrono::seconds{1};
  caf::timespan restart_last = std::chrono::seconds{300};
  caf::timespan restart_stable = std::chrono::minutes{10};
  /// How often within how long; then the VM is given up. One that never gets up is, after a quarter
  /// of an hour; one that dies now and then is not.
  std::size_t max_restarts = 10;
  caf::timespan restart_window = std::chrono::hours{1};
  /// For what is left of a life to go before the next one begins, from the end of the wait.
  caf::timespan revive = std::chrono::seconds{30};
  /// How long a dead VM is remembered, for those who ask late.
  caf::timespan forget = std::chrono::seconds{60};
};

/// The bounds of the vsock acceptor. All are finite and positive.
struct vsock_timeouts {
  /// Until a port that could not be served is tried again; doubled each time, up to the second.
  caf::timespan first_retry = std::chrono::seconds{1};
  caf::timespan last_retry = std::chrono::seconds{60};
  /// For the registry to say whose a connection is.
  caf::timespan lookup = std::chrono::seconds{10};
  /// For the acceptor to say how its ports are.
  caf::timespan ports = std::chrono::seconds{5};
};

} // namespace crosvisor::actors
