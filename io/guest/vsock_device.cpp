// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/vsock_device.hpp"

#include "crosvisor/io/host/installed_file.hpp"

#include <sys/socket.h>

#include <utility>

namespace crosvisor::io {

namespace {

result<std::pair<unique_fd, unique_fd>> make_vhost_user_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return last_failure("vhost-user connection");
  return std::pair{unique_fd{ends[0]}, unique_fd{ends[1]}};
}

} // namespace

result<std::unique_ptr<vsock_device>> vsock_device::make(event_loop& loop,
                                                         device_channel::opened_handler on_opened) {
  std::unique_ptr<vsock_device> made{new vsock_device};
  auto vhost_user = make_vhost_user_pair();
  if (!vhost_user)
    return vhost_user.why();
  auto service = make_device_pair();
  if (!service)
    return service.why();
  auto channel = device_channel::make(loop, std::move(service->second), std::move(on_opened));
  if (!channel)
    return channel.why();
  made->vmm_end_ = std::move(vhost_user->second);
  made->device_end_ = std::move(vhost_user->first);
  made->device_channel_end_ = std::move(service->first);
  made->channel_ = std::move(*channel);
  return made;
}

vsock_device::~vsock_device() {
  if (channel_)
    channel_->close();
}

child_command vsock_device::command(const std::string& program, vm_cid cid, int log) const {
  auto vmm = device_end_.get();
  auto service = device_channel_end_.get();
  return {program,
          {program, "--cid", std::to_string(cid), "--vmm-fd", std::to_string(vmm), "--service-fd",
           std::to_string(service)},
          {vmm, service},
          log,
          log};
}

void vsock_device::close_ends() {
  vmm_end_.reset();
  device_end_.reset();
  device_channel_end_.reset();
}

result<std::string> find_vsock_device() {
  return find_installed_file("crosvisor-vsock", CROSVISOR_LIBEXECDIR, file_use::execute);
}

} // namespace crosvisor::io
