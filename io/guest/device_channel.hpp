// SPDX-License-Identifier: Apache-2.0
// The service's end of what a crosvisor-vsock and the service say to each other.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace crosvisor::io {

/// Speaks vsock/service_protocol.hpp with one device. Any thread; nothing blocks. Kept alive by
/// what it waits for; close() ends that.
class device_channel {
public:
  /// Called on the loop's thread with what the guest opened.
  using opened_handler = std::function<void(std::uint32_t port, stream_socket socket)>;

  /// @param socket our end of the SOCK_SEQPACKET pair; becomes non-blocking.
  static result<std::shared_ptr<device_channel>> make(event_loop& loop, unique_fd socket,
                                                      opened_handler on_opened);

  virtual ~device_channel() = default;

  /// Lets the guest open this host port from now on.
  virtual void listen(std::uint32_t port) = 0;

  /// See vmm_process::connect_vsock; `done` is called on the loop's thread.
  virtual void connect(std::uint32_t port, std::chrono::milliseconds bound,
                       vmm_process::connection done) = 0;

  /// Answers what is pending, and ends. The device ends with it.
  virtual void close() = 0;
};

/// Both ends of a new channel, the device's first.
result<std::pair<unique_fd, unique_fd>> make_device_pair();

} // namespace crosvisor::io
