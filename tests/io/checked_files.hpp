// SPDX-License-Identifier: Apache-2.0
// The files of a VM, checked.
#pragma once

#include "crosvisor/io/vm_files.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <fcntl.h>

#include <string>

namespace crosvisor::tests {

/// A configuration with a kernel, and files to add to it.
struct checked_files {
  temp_dir dir;
  vm_config config;
  io::descriptor_set files;

  checked_files() { config.kernel = file(dir.write("vmlinux", "kernel"), O_RDONLY); }

  file_ref file(const std::string& path, int flags) {
    auto name = path.substr(path.rfind('/') + 1);
    return {name, files.add(io::unique_fd{::open(path.c_str(), flags | O_CLOEXEC, 0600)})};
  }

  void disk(const std::string& name, const std::string& content, int flags, bool writable) {
    config.disks.push_back({file(dir.write(name, content), flags), image_format::raw, writable});
  }

  /// One partition more on the first disk.
  void partition(const std::string& name, const std::string& content, int flags, bool writable) {
    if (config.disks.empty())
      config.disks.push_back({{}, image_format::raw, true});
    config.disks[0].partitions.push_back(
      {name, file(dir.write(name, content), flags), image_format::raw, writable, ""});
  }

  // "" when everything is fit.
  std::string problem(vmm_kind vmm = vmm_kind::qemu) {
    auto checked = io::check_vm_files(config, files, vmm);
    return checked ? "" : checked.why().what;
  }
};

} // namespace crosvisor::tests
