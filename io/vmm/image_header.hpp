// SPDX-License-Identifier: Apache-2.0
// Whether a VMM may be given an image, by the first bytes of that image.
#pragma once

#include "crosvisor/io/disk/image_magic.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <string>

namespace crosvisor::io {

/// Refuses an image that would make `vmm` open files which nobody gave it: a qcow2 that names a
/// backing or a data file; and, where crosvm runs it, a raw image that looks like another format,
/// since crosvm looks at the bytes and not at what was stated. A guest writes its raw disk's first
/// bytes as it likes, so it could turn the disk into a qcow2 with any file of the host's behind it
/// (CVE-2026-27211 is that of Cloud Hypervisor). Also refuses a qcow2 that is none, or of a version
/// that `vmm` doesn't read. Blocks as long as reading does.
/// @param what how to name the image: `disks[0] "root.img"`; starts the sentence of a failure.
result<void> check_image(int fd, image_format format, vmm_kind vmm, const std::string& what);

} // namespace crosvisor::io
