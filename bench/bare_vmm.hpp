// SPDX-License-Identifier: Apache-2.0
// The rival: a VMM's process without a service around it.
#pragma once

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/io/vm_files.hpp"
#include "crosvisor/io/vmm/vmm_driver.hpp"

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace crosvisor::bench {

/// A process of the argv that the service would run for a configuration, with the same kinds of
/// descriptors under it. One thread.
class bare_vmm {
public:
  /// Makes ready: opens every pipe and the control socket, runs nothing.
  /// @param files belongs to this.
  /// @param vsock_device a connection to a vsock device, borrowed until it is spawned; -1: none.
  bare_vmm(const io::vmm_driver& driver, const vm_config& config, accel_kind accel,
           std::shared_ptr<io::descriptor_set> files, int vsock_device = -1);
  bare_vmm(bare_vmm&&) = default;
  bare_vmm& operator=(bare_vmm&&) = delete;
  /// Kills and reaps.
  ~bare_vmm();

  /// Lets QEMU run its guest at once, as it does by itself: without `-S`.
  void let_guest_run();

  /// posix_spawn(3) and nothing else.
  void spawn();

  /// Waits until it says something on its control channel. A stand-in's stamp is written by then.
  void wait_for_greeting() const;

  /// Waits until QMP says that the guest runs.
  void wait_until_running() const;

  /// What the guest writes to its console.
  int console() const noexcept { return console_in_.get(); }
  const std::vector<std::string>& argv() const noexcept { return command_.argv; }

private:
  struct process {
    pid_t pid = 0;
    process() = default;
    process(process&& other) noexcept : pid(std::exchange(other.pid, 0)) {}
    ~process();
  };

  void make_pipes(io::vm_description& vm);
  std::string ask_qmp(const std::string& command) const;

  std::shared_ptr<io::descriptor_set> files_;
  io::vm_file_descriptors open_;
  io::control_endpoint control_;
  io::unique_fd console_in_, console_out_;
  io::unique_fd log_in_, log_out_;
  io::unique_fd failures_in_, failures_out_;
  io::unique_fd output_in_, output_out_;
  io::child_command command_;
  process child_;
};

} // namespace crosvisor::bench
