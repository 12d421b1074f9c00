// SPDX-License-Identifier: Apache-2.0
// How large a partition's image is.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <cstdint>
#include <string>

namespace crosvisor::io {

/// The bytes of a regular file or block device.
result<std::uint64_t> file_size(int fd);

/// The bytes that a guest sees of an image, open for reading: a raw one's own, a sparse one's by
/// its header. Refuses what is neither a regular file nor a block device, a qcow2 image, and a raw
/// one that looks like another format: crosvm goes by the first bytes of every component of a
/// composite disk. Blocks as long as reading a few bytes does.
/// @param what how to name the image; starts the sentence of a failure.
result<std::uint64_t> image_size(int fd, image_format format, const std::string& what);

} // namespace crosvisor::io
