// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/vsock_device.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <utility>

namespace crosvisor::io {

namespace {

constexpr auto program_name = "crosvisor-vsock";

result<std::pair<unique_fd, unique_fd>> make_vhost_user_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return last_failure("vhost-user connection");
  return std::pair{unique_fd{ends[0]}, unique_fd{ends[1]}};
}

child_command command(const vsock_device_options& options, int vmm, int service) {
  return {options.program,
          {options.program, "--cid", std::to_string(options.cid), "--vmm-fd", std::to_string(vmm),
           "--service-fd", std::to_string(service)},
          {vmm, service},
          options.log,
          options.log};
}

/// The folder of this process's program; empty when it is unknown.
std::string own_folder() {
  char path[PATH_MAX];
  auto length = ::readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0 || length == sizeof(path))
    return {};
  std::string whole(path, static_cast<std::size_t>(length));
  return whole.substr(0, whole.rfind('/'));
}

} // namespace

vsock_device::vsock_device(unique_fd vmm_end, std::shared_ptr<device_channel> channel,
                           std::shared_ptr<child_process> child)
    : vmm_end_(std::move(vmm_end)), channel_(std::move(channel)), child_(std::move(child)) {}

vsock_device::~vsock_device() {
  channel_->close();
}

void vsock_device::kill() {
  child_->signal(SIGKILL);
}

result<std::unique_ptr<vsock_device>> vsock_device::start(event_loop& loop,
                                                          vsock_device_options options) {
  auto vhost_user = make_vhost_user_pair();
  if (!vhost_user)
    return vhost_user.why();
  auto service = make_device_pair();
  if (!service)
    return service.why();
  auto child =
    child_process::start(loop, command(options, vhost_user->first.get(), service->first.get()),
                         std::move(options.on_exit));
  if (!child)
    return child.why();
  auto channel =
    device_channel::make(loop, std::move(service->second), std::move(options.on_opened));
  if (!channel)
    return channel.why();
  return std::unique_ptr<vsock_device>{
    new vsock_device{std::move(vhost_user->second), std::move(*channel), std::move(*child)}};
}

result<std::string> find_vsock_device() {
  std::string tried;
  for (const auto& folder : {own_folder(), std::string{CROSVISOR_LIBEXECDIR}}) {
    if (folder.empty())
      continue;
    auto path = folder + '/' + program_name;
    if (::access(path.c_str(), X_OK) == 0)
      return path;
    tried += (tried.empty() ? "" : " or ") + folder;
  }
  return failure{ENOENT, std::string{"no "} + program_name + " in " + tried
                           + "; install it with crosvisor, or name its path"};
}

} // namespace crosvisor::io
