// SPDX-License-Identifier: Apache-2.0
// What a VM's descriptors have to be, and the description that its VMM is started from.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/image_builder.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/vmm/vm_description.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <cstdint>

namespace crosvisor::io {

/// Whether each descriptor that `config` refers to is there and fit for its use: open for what it
/// is needed for, a regular file (a disk or partition: or a block device) that is not empty, none
/// of the kernel's own (procfs), nothing that is written given twice, an output to a file, a pipe,
/// a socket or a character device that is no image, images of the stated format; an app's files,
/// a TAP interface, shared directories and pstore, too. Whoever made the request may have made it
/// by hand, so this relies on nothing that was checked when the files were opened. Blocks as long
/// as reading the images' first bytes does. Any thread.
/// @param vmm what will run it; not `automatic`.
/// @returns the first problem: `kernel "vmlinux": is a directory`.
result<void> check_vm_files(const vm_config& config, const descriptor_set& files, vmm_kind vmm);

/// The descriptors of a VM's files as its VMM gets them.
struct vm_file_descriptors {
  int kernel = -1;
  int initrd = -1;
  int bootloader = -1;
  std::vector<described_disk> disks; ///< Those of partitions without a disk server.
  /// Owns those that had to be opened anew; the rest is the descriptor_set's.
  std::vector<unique_fd> reopened;
};

/// The most that is copied of a kernel, initrd or bootloader.
inline constexpr std::uint64_t max_copied_boot_bytes = std::uint64_t{512} << 20;

/// Of kernel, initrd and bootloader, those that not everybody can open are replaced by a sealed
/// copy in memory, which costs their size as long as the VM lives: for a VMM of another user that
/// opens them by path. A failure has the code 0 where one is too large.
result<void> copy_unreadable(const vm_config& config, vm_file_descriptors& files);

/// Of files that check_vm_files() found fit, and disks that were built from those with partitions;
/// null: none. What the guest may not write, the VMM can't: a
/// descriptor that is open for writing too is opened once more for reading alone.
result<vm_file_descriptors> describe_vm_files(const vm_config& config, const descriptor_set& files,
                                              const built_disks* built = nullptr);

} // namespace crosvisor::io
