// SPDX-License-Identifier: Apache-2.0
// Every bound of a VM's life, named.
#pragma once

#include <caf/timespan.hpp>

#include <chrono>

namespace crosvisor::actors {

/// How long each step may take. All are finite and positive.
struct vm_timeouts {
  /// From the launch until the VMM's control channel answers.
  caf::timespan start = std::chrono::seconds{30};
  /// From one press of the power button to the next, since a guest that is still booting sees none.
  caf::timespan press_again = std::chrono::seconds{2};
  /// From the request to quit until SIGTERM.
  caf::timespan quit = std::chrono::seconds{5};
  /// From SIGTERM until SIGKILL.
  caf::timespan terminate = std::chrono::seconds{3};
  /// From SIGKILL until the VM is given up, its process being stuck in the kernel.
  caf::timespan kill = std::chrono::seconds{5};
  /// How long a dead VM is remembered, for those who ask late.
  caf::timespan forget = std::chrono::seconds{60};
};

} // namespace crosvisor::actors
