// SPDX-License-Identifier: Apache-2.0
// How VMMs are told of the descriptors that they inherit.
#pragma once

#include "crosvisor/io/vmm/vm_description.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace crosvisor::io {

/// The path by which a process reaches its own descriptor `fd`. crosvm duplicates the descriptor
/// (base/src/sys/linux/mod.rs, open_file_or_duplicate), every other program opens its file anew.
inline std::string descriptor_path(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

/// Every descriptor of `vm`, each once, in ascending order.
inline std::vector<int> all_descriptors(const vm_description& vm) {
  std::vector<int> all{vm.kernel,        vm.initrd,      vm.bootloader,  vm.console,
                       vm.log,           vm.control,     vm.vsock,       vm.failures,
                       vm.vsock_device,  vm.control_dir, vm.devices.gdb, vm.devices.tap,
                       vm.devices.pstore};
  for (const auto& share : vm.devices.shares)
    all.push_back(share.server);
  for (const auto& disk : vm.disks) {
    all.push_back(disk.server >= 0 ? disk.server : disk.fd);
    if (disk.server < 0)
      all.insert(all.end(), disk.components.begin(), disk.components.end());
  }
  all.erase(std::remove(all.begin(), all.end(), -1), all.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

} // namespace crosvisor::io
