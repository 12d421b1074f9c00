// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/guest_door.hpp"

#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/guest/crash_files.hpp"
#include "crosvisor/io/guest/device_channel.hpp"
#include "crosvisor/io/guest/kernel_listener.hpp"
#include "crosvisor/io/logging.hpp"

#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace crosvisor::io {

namespace {

/// As many as may wait to be accepted; more are refused by the kernel.
constexpr int backlog = 128;

int listen_on(std::uint32_t port) {
  unique_fd fd{::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd)
    return -errno;
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_HOST;
  address.svm_port = port;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0
      || ::listen(fd.get(), backlog) != 0)
    return -errno;
  return fd.release();
}

int accept_from(int listener, vm_cid& peer) {
  sockaddr_vm address{};
  socklen_t length = sizeof(address);
  auto fd = ::accept4(listener, reinterpret_cast<sockaddr*>(&address), &length,
                      SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0)
    return -errno;
  peer = address.svm_cid;
  return fd;
}

} // namespace

vsock_calls kernel_vsock_calls() {
  return {listen_on, accept_from};
}

guest_door::guest_door(std::shared_ptr<event_loop> loop, vsock_calls calls)
    : loop_(std::move(loop)), calls_(std::move(calls)) {}

guest_door::~guest_door() {
  close();
}

void guest_door::open(vsock_callbacks callbacks) {
  std::lock_guard lock{mutex_};
  callbacks_ = std::make_shared<const vsock_callbacks>(std::move(callbacks));
}

result<void> guest_door::listen(std::uint32_t port) {
  std::lock_guard lock{mutex_};
  if (ports_.insert(port).second)
    for (auto& weak : devices_)
      if (auto device = weak.lock())
        device->listen(port);
  if (!calls_.listen || listeners_.count(port) > 0)
    return {};
  auto weak = weak_from_this();
  auto made = kernel_listener::make(
    *loop_, calls_, port,
    [weak](guest_connection connection) {
      if (auto self = weak.lock())
        self->deliver(std::move(connection));
    },
    [weak, port](std::string what) {
      if (auto self = weak.lock())
        self->lose(port, std::move(what));
    });
  if (!made)
    return made.why();
  listeners_.emplace(port, std::move(*made));
  return {};
}

void guest_door::close() {
  std::map<std::uint32_t, std::shared_ptr<kernel_listener>> listeners;
  std::lock_guard lock{mutex_};
  callbacks_ = nullptr;
  listeners.swap(listeners_);
  for (auto& [port, listener] : listeners)
    listener->close();
}

void guest_door::add(const std::shared_ptr<device_channel>& device) {
  std::lock_guard lock{mutex_};
  devices_.erase(std::remove_if(devices_.begin(), devices_.end(),
                                [](const auto& weak) { return weak.expired(); }),
                 devices_.end());
  devices_.push_back(device);
  for (auto port : ports_)
    device->listen(port);
}

void guest_door::add(vm_cid cid, const std::shared_ptr<crash_files>& files) {
  {
    std::lock_guard lock{mutex_};
    std::erase_if(crash_files_, [](const auto& one) { return one.second.expired(); });
    crash_files_[cid] = files;
  }
  if (auto served = listen(crash_file_port); !served)
    log::warn("guests can't send crash files: {}", served.why().what);
}

std::shared_ptr<crash_files> guest_door::crash_files_of(vm_cid cid) {
  std::lock_guard lock{mutex_};
  auto found = crash_files_.find(cid);
  return found == crash_files_.end() ? nullptr : found->second.lock();
}

void guest_door::deliver(guest_connection connection) {
  if (reach(failpoint::guest_connected) != 0)
    return;
  if (connection.port == crash_file_port) {
    if (auto files = crash_files_of(connection.cid))
      files->take(std::move(connection.socket));
    return;
  }
  std::shared_ptr<const vsock_callbacks> to;
  {
    std::lock_guard lock{mutex_};
    to = callbacks_;
  }
  if (to)
    to->on_connection(std::move(connection));
}

void guest_door::lose(std::uint32_t port, std::string what) {
  std::shared_ptr<const vsock_callbacks> to;
  {
    std::lock_guard lock{mutex_};
    listeners_.erase(port);
    to = callbacks_;
  }
  if (to)
    to->on_lost(port, std::move(what));
}

} // namespace crosvisor::io
