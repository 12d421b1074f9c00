// SPDX-License-Identifier: Apache-2.0
// What a VMM's driver makes a command line from: a VM whose files are open. Plain data.
#pragma once

#include "crosvisor/messages/host_info.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <string>
#include <vector>

namespace crosvisor::io {

struct described_disk {
  /// O_RDWR where writable, else O_RDONLY; of a composite disk its description, O_RDONLY.
  int fd = -1;
  /// A block device as against a regular file; QEMU wants to be told.
  bool block_device = false;
  image_format format = image_format::raw;
  bool writable = false;
  /// Put together from partitions; see composite_disk.
  bool composite = false;
  std::vector<int> components =
    {}; ///< What a composite disk names; whoever opens it must inherit them.
  std::vector<int> sparse = {}; ///< Which of them hold Android sparse images.
  /// The VMM's end of the connection to its disk server, for a VMM that reads no composite disks;
  /// it then gets nothing else of the disk.
  int server = -1;
};

/// A shared directory as its VMM has it: the VMM's end of the vhost-user connection to its server.
struct described_share {
  std::string tag;
  int server = -1;
};

/// See device_config.
struct described_devices {
  cpu_topology topology;
  bool hugepages = false;
  bool rng = true;
  int gdb = -1; ///< A listening socket on 127.0.0.1.
  int tap = -1;
  std::string mac; ///< Of the card on `tap`.
  int pstore = -1; ///< A memory file of `pstore_bytes`.
  std::uint64_t pstore_bytes = 0;
  std::vector<described_share> shares;
};

/// All descriptors are this process's, borrowed, and reach the VMM under the same numbers; -1:
/// none.
struct vm_description {
  vm_cid cid = no_cid;
  vm_name name;
  accel_kind accel = accel_kind::tcg;
  std::uint32_t memory_mib = 0;
  std::uint32_t cpus = 0;
  bool protected_vm = false;
  int kernel = -1;
  int initrd = -1;
  int bootloader = -1;
  std::string params;
  std::vector<described_disk> disks;
  int console = -1; ///< Write end: what the guest writes to ttyS0 and hvc0.
  int log = -1;     ///< Write end: what the guest writes to hvc2.
  int control = -1; ///< The VMM's end of its control channel; see vmm_driver::make_endpoint.
  std::string control_path; ///< control_endpoint::path.
  int control_dir = -1;     ///< What a VMM of another user reaches control_path by.
  int vsock = -1;           ///< A claimed /dev/vhost-vsock.
  int vsock_device = -1;    ///< The VMM's end of a vhost-user connection to a vsock device.
  int failures = -1;        ///< Write end: what the guest writes to ttyS1.
  described_devices devices;
};

} // namespace crosvisor::io
