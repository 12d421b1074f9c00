// SPDX-License-Identifier: Apache-2.0
// A disk put together from partitions, for a VMM to inherit.
#pragma once

#include "crosvisor/io/job_control.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::io {

/// What a partition is made from.
struct partition_source {
  std::string label;
  int fd = -1; ///< Borrowed, as long as the disk is used.
  image_format format = image_format::raw;
  bool writable = false;
  std::string guid; ///< Empty: random.
  /// How errors name it: `disks[0].partitions[2] "super.img"`.
  std::string what;
};

/// A composite disk in crosvm's format, whose components are this process's descriptors: it names
/// them `/proc/self/fd/N`, so whoever opens it must have inherited them under the same numbers.
/// Descriptor, header, footer and filler are memory files that nobody can write. Move only.
struct composite_disk {
  unique_fd descriptor; ///< The composite file itself, O_RDONLY.
  /// Header, footer, filler, and what had to be opened once more for reading alone.
  std::vector<unique_fd> owned;
  /// Every descriptor that the disk names, each once, in ascending order; those above among them.
  std::vector<int> components;
  /// Which of `components` hold an Android sparse image.
  std::vector<int> sparse;
  std::uint64_t size_bytes = 0; ///< As the guest sees it.
};

/// Puts a disk together; its layout is that of crosvm since 2025-01 (docs/composite-disks.md).
/// Blocks as long as reading the sizes does: well below a millisecond. The failure names the
/// partition, and has the code 0 unless the host is at fault.
result<composite_disk> build_composite_disk(const std::vector<partition_source>& partitions,
                                            const job_control& control);

} // namespace crosvisor::io
