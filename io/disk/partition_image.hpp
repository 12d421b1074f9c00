// SPDX-License-Identifier: Apache-2.0
// New writable partitions.
#pragma once

#include "crosvisor/io/job_control.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/image_spec.hpp"

namespace crosvisor::io {

/// Makes the regular file behind `fd`, open for reading and writing, a new partition: what it held
/// is cut off first, its size is `spec.size_bytes` rounded up to partition_block_bytes. Checks
/// everything before the first byte is written; after a failure the file is empty.
result<void> make_partition_image(int fd, const partition_spec& spec, const job_control& control);

} // namespace crosvisor::io
