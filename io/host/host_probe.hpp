// SPDX-License-Identifier: Apache-2.0
// What this host can do: asked once, at the service's start.
#pragma once

#include "crosvisor/messages/host_info.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace crosvisor::io {

/// How long a VMM's program may take to answer one question about itself.
inline constexpr std::chrono::seconds program_timeout{2};

struct host_probe_options {
  /// The program of each VMM; empty: the first one in `program_dirs`.
  std::string crosvm;
  std::string qemu;
  /// The program of the vsock device; empty: see find_vsock_device().
  std::string vsock_program;
  /// nbdkit's plugin for composite disks; empty: see find_disk_server().
  std::string disk_plugin;
  std::vector<std::string> program_dirs{"/usr/bin", "/usr/local/bin", "/usr/libexec/crosvisor"};
  /// An existing directory where what was found is kept until the host's next boot; empty: nowhere.
  std::string cache_dir;
  std::chrono::milliseconds timeout = program_timeout;
  std::string kvm_device = "/dev/kvm";
  std::string vsock_device = "/dev/vhost-vsock";
  std::string cpuinfo = "/proc/cpuinfo";
};

/// Looks for VMMs and devices, asks the one what they are and tries the others. Changes nothing but
/// the cache, which it uses where a program and the device are the same as before. Blocks: some
/// milliseconds with a cache, some tenths of a second without, and with programs that hang three
/// timeouts each.
host_info probe_host(const host_probe_options& options);

} // namespace crosvisor::io
