// SPDX-License-Identifier: Apache-2.0
// A VMM that is a script of bash's, with a control channel that does nothing but end.
#pragma once

#include "crosvisor/io/vmm/vmm_driver.hpp"

#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>

namespace crosvisor::tests {

/// Is up as soon as it is connected. Its end is start_failed for code 1, shutdown for 0, killed for
/// a signal.
class script_channel final : public io::vmm_channel {
public:
  script_channel(io::event_loop& loop, io::control_endpoint endpoint)
      : loop_(loop), endpoint_(std::move(endpoint)) {}

  void ask(io::vmm_request, io::vmm_process::completion done) override { done({}); }
  void get_balloon(io::vmm_process::balloon_completion done) override { done(balloon_info{}); }
  void set_balloon(std::uint64_t, io::vmm_process::completion done) override { done({}); }

  void conclude(io::exit_status status, std::function<void(vmm_exit)> done) override {
    vmm_exit exit{status.kind, status.value, death_reason::killed, ""};
    if (status.kind == exit_kind::code)
      exit.reason = status.value == 0 ? death_reason::shutdown : death_reason::start_failed;
    loop_.post([done = std::move(done), exit] { done(exit); });
  }

private:
  io::event_loop& loop_;
  io::control_endpoint endpoint_;
};

/// The script has its files' descriptors in $KERNEL, $DISK0, $DISK1, …, $CONSOLE, $LOG, $CONTROL,
/// $FAILURES and, where there is one, $VSOCK_DEVICE; a composite disk's is its server's.
class script_driver final : public io::vmm_driver {
public:
  explicit script_driver(std::string script, std::string program = "/bin/bash",
                         io::reopened_files reopens = io::reopened_files::boot)
      : script_(std::move(script)), program_(std::move(program)), reopens_(reopens) {}

  io::result<io::control_endpoint> make_endpoint(const io::runtime_dir& dir) const override {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      return io::last_failure("control channel");
    return io::control_endpoint{io::unique_fd{ends[0]}, io::unique_fd{ends[1]},
                                dir.path() + "/control"};
  }

  io::result<void> check(const io::vm_description& vm) const override {
    if (vm.protected_vm)
      return io::failure{0, "scripts protect nothing"};
    return {};
  }

  bool takes_vsock_device() const override { return true; }
  bool reads_composite_disks() const override { return false; }
  io::reopened_files reopens() const override { return reopens_; }

  io::child_command command(const io::vm_description& vm) const override {
    io::child_command command{program_, {"bash", "-c"}, {}, -1, -1};
    std::string text;
    auto give = [&](const std::string& name, int fd) {
      if (fd < 0)
        return;
      text += name + "=" + std::to_string(fd) + "\n";
      command.inherited.push_back(fd);
    };
    give("KERNEL", vm.kernel);
    for (std::size_t i = 0; i < vm.disks.size(); ++i)
      give("DISK" + std::to_string(i),
           vm.disks[i].server >= 0 ? vm.disks[i].server : vm.disks[i].fd);
    give("CONSOLE", vm.console);
    give("LOG", vm.log);
    give("CONTROL", vm.control);
    give("FAILURES", vm.failures);
    give("VSOCK_DEVICE", vm.vsock_device);
    give("CONTROL_DIR", vm.control_dir);
    command.argv.push_back(text + "CONTROL_PATH=" + vm.control_path + "\n" + script_);
    return command;
  }

  std::shared_ptr<io::vmm_channel> connect(io::event_loop& loop, io::worker_pool&,
                                           io::control_endpoint endpoint, const io::vm_description&,
                                           io::channel_callbacks callbacks) const override {
    callbacks.on_up();
    return std::make_shared<script_channel>(loop, std::move(endpoint));
  }

private:
  std::string script_;
  std::string program_;
  io::reopened_files reopens_;
};

} // namespace crosvisor::tests
