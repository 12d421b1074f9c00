// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/vsock_device.hpp"

#include "crosvisor/io/logging.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <utility>
#include <vector>

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

result<void> vsock_device::start(event_loop& loop, vsock_device_options options) {
  auto child =
    child_process::start(loop, command(options, device_end_.get(), device_channel_end_.get()),
                         std::move(options.on_exit));
  vmm_end_.reset();
  device_end_.reset();
  device_channel_end_.reset();
  if (!child)
    return child.why();
  child_ = std::move(*child);
  log::debug("vm {} started vsock device pid {}", options.cid, child_->pid());
  return {};
}

void vsock_device::kill() {
  if (child_)
    child_->signal(SIGKILL);
}

result<std::string> find_vsock_device() {
  std::string tried;
  std::vector<std::string> folders{CROSVISOR_LIBEXECDIR};
  if (auto own = own_folder(); !own.empty())
    folders = {own, own + "/../libexec/crosvisor", CROSVISOR_LIBEXECDIR};
  for (const auto& folder : folders) {
    auto path = folder + '/' + program_name;
    if (::access(path.c_str(), X_OK) == 0)
      return path;
    tried += (tried.empty() ? "" : " or ") + folder;
  }
  return failure{ENOENT, std::string{"no "} + program_name + " in " + tried
                           + "; install it with crosvisor, or name its path"};
}

} // namespace crosvisor::io
