// SPDX-License-Identifier: Apache-2.0
// Where guests' connections come in, whichever way they take.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/event_loop.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace crosvisor::io {

class crash_files;
class device_channel;
class kernel_listener;

/// The system calls that make a listening AF_VSOCK socket; tests put sockets of another family
/// behind it.
struct vsock_calls {
  /// A non-blocking listening socket on host CID 2 and `port`, or the negative errno.
  std::function<int(std::uint32_t port)> listen;
  /// A connection's descriptor, non-blocking, and its peer's CID; or the negative errno.
  std::function<int(int listener, vm_cid& peer)> accept;
};

vsock_calls kernel_vsock_calls();

/// Serves the kernel's vsock and that of all devices, and passes connections on to whoever opened
/// it. Any thread.
class guest_door final : public vsock_listener, public std::enable_shared_from_this<guest_door> {
public:
  /// @param calls empty where the kernel has no vsock for guests: then only devices are served.
  guest_door(std::shared_ptr<event_loop> loop, vsock_calls calls);
  ~guest_door() override;

  void open(vsock_callbacks callbacks) override;
  result<void> listen(std::uint32_t port) override;
  void close() override;

  /// Tells the device of all ports, now and later, until it is gone.
  void add(const std::shared_ptr<device_channel>& device);

  /// Takes a VM's connections to crash_file_port from now on, as long as `files` are there; their
  /// port is served from the first on. One that the kernel can't serve is logged.
  void add(vm_cid cid, const std::shared_ptr<crash_files>& files);

  /// Passes a connection on, or closes it where nobody is there to take it.
  void deliver(guest_connection connection);

private:
  void lose(std::uint32_t port, std::string what);
  std::shared_ptr<crash_files> crash_files_of(vm_cid cid);

  const std::shared_ptr<event_loop> loop_;
  const vsock_calls calls_;
  std::mutex mutex_;                                 // Of what follows.
  std::shared_ptr<const vsock_callbacks> callbacks_; // Null while it is closed.
  std::set<std::uint32_t> ports_;
  std::map<std::uint32_t, std::shared_ptr<kernel_listener>> listeners_;
  std::vector<std::weak_ptr<device_channel>> devices_;
  std::map<vm_cid, std::weak_ptr<crash_files>> crash_files_;
};

} // namespace crosvisor::io
