// SPDX-License-Identifier: Apache-2.0
// Opens the files that a configuration names.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <memory>
#include <string>

namespace crosvisor::io {

/// Opens kernel, initrd, bootloader, the images of disks and partitions and the files of an app,
/// relative to `folder` unless their paths are absolute, and sets each one's file_ref::index.
/// Writable disks and partitions, and what an app keeps, are opened for reading and writing,
/// everything else for reading alone. Never waits for a FIFO's other end. A path `image:NAME` is a
/// stored image of the service's, which opens it itself: descriptor_set::stored_images().
///
/// What was opened is not looked at: see check_vm_files() in io/vm_files.hpp. The failure has no
/// file name of the configuration's own in front: `kernel "vmlinux": no such file in /srv/guests`.
result<std::shared_ptr<descriptor_set>> open_vm_files(vm_config& config, const std::string& folder);

/// The folder of the file at `path`, without symlinks in it where that can be told.
std::string folder_of(const std::string& path);

} // namespace crosvisor::io
