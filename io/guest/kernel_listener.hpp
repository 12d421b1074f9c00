// SPDX-License-Identifier: Apache-2.0
// The kernel's vsock: a port that guests connect to, and connections to guests' ports.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/guest/guest_door.hpp"

#include <functional>
#include <memory>
#include <string>

namespace crosvisor::io {

/// Accepts connections on one port of host CID 2. A host that is out of descriptors or memory makes
/// it wait and try again; whatever else goes wrong ends it.
class kernel_listener {
public:
  using connection_handler = std::function<void(guest_connection)>;
  using loss_handler = std::function<void(std::string what)>;

  /// Binds now; both handlers are called on the loop's thread.
  /// @param on_loss called at most once, and nothing after it.
  static result<std::shared_ptr<kernel_listener>> make(event_loop& loop, const vsock_calls& calls,
                                                       std::uint32_t port,
                                                       connection_handler on_connection,
                                                       loss_handler on_loss);

  virtual ~kernel_listener() = default;

  /// Closes the port, soon. Any thread.
  virtual void close() = 0;
};

/// Connects to `port` of the guest with this CID through the kernel; see
/// vmm_process::connect_vsock. `done` is called on the loop's thread.
void connect_kernel_vsock(event_loop& loop, vm_cid cid, std::uint32_t port,
                          std::chrono::milliseconds bound, vmm_process::connection done);

} // namespace crosvisor::io
