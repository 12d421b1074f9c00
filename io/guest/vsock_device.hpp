// SPDX-License-Identifier: Apache-2.0
// One VM's crosvisor-vsock: its sockets, how it is started, and the channel to it.
#pragma once

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/guest/device_channel.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/fwd.hpp"

#include <memory>
#include <string>

namespace crosvisor::io {

/// Its process is one of the VMM's companions.
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
  /// like what follows.
  int vmm_end() const noexcept { return vmm_end_.get(); }

  /// How it is started, once the VMM runs.
  /// @param program absolute path of crosvisor-vsock.
  /// @param log where it complains; borrowed.
  child_command command(const std::string& program, vm_cid cid, int log) const;

  /// Closes what the VMM and the process have inherited: once the VMM has closed its own, the
  /// device ends.
  void close_ends();

  const std::shared_ptr<device_channel>& channel() const noexcept { return channel_; }

private:
  vsock_device() = default;

  unique_fd vmm_end_;
  unique_fd device_end_;
  unique_fd device_channel_end_;
  std::shared_ptr<device_channel> channel_;
};

/// Where crosvisor-vsock is: beside this process's own program, below the same prefix, or where it
/// was to be installed; or why not.
result<std::string> find_vsock_device();

} // namespace crosvisor::io
