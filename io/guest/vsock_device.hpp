// SPDX-License-Identifier: Apache-2.0
// One VM's crosvisor-vsock: a process, and the channel to it.
#pragma once

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/guest/device_channel.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/fwd.hpp"

#include <functional>
#include <memory>
#include <string>

namespace crosvisor::io {

struct vsock_device_options {
  std::string program; ///< Absolute path of crosvisor-vsock.
  vm_cid cid = no_cid;
  int log = -1; ///< Where it complains; borrowed for the call.
  child_process::exit_callback on_exit;
};

/// Letting go of it kills the process.
class vsock_device {
public:
  /// Its sockets, before there is a process: what the VMM says waits in them, so that the VMM need
  /// not wait for the device to be started.
  static result<std::unique_ptr<vsock_device>> make(event_loop& loop,
                                                    device_channel::opened_handler on_opened);

  vsock_device(const vsock_device&) = delete;
  vsock_device& operator=(const vsock_device&) = delete;
  ~vsock_device();

  /// The end of the vhost-user connection for the VMM to inherit. From the thread that made this,
  /// like start(), which closes it: once the VMM has closed its own, the device ends.
  int vmm_end() const noexcept { return vmm_end_.get(); }

  /// Starts the process, once the VMM runs; see child_process::start. On a thread that lives as
  /// long as the process does.
  result<void> start(event_loop& loop, vsock_device_options options);

  const std::shared_ptr<device_channel>& channel() const noexcept { return channel_; }
  void kill();

private:
  vsock_device() = default;

  unique_fd vmm_end_;
  unique_fd device_end_;
  unique_fd device_channel_end_;
  std::shared_ptr<device_channel> channel_;
  std::shared_ptr<child_process> child_;
};

/// Where crosvisor-vsock is: beside this process's own program, below the same prefix, or where it
/// was to be installed; or why not.
result<std::string> find_vsock_device();

} // namespace crosvisor::io
