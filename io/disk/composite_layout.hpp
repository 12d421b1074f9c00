// SPDX-License-Identifier: Apache-2.0
// What a composite disk is made of, whatever its components are called.
#pragma once

#include "crosvisor/io/disk/composite_disk.hpp"
#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/io/disk/gpt.hpp"
#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::io {

/// Zeros that fill up what partitions lack to the next alignment.
inline constexpr std::size_t composite_filler_bytes = partition_alignment_bytes;

/// A disk before its files are there.
struct composite_plan {
  gpt_layout layout;
  std::vector<gpt_partition> partitions;

  bool needs_filler() const noexcept;
};

/// Checks every partition and lays out the disk, with new GUIDs where none are given. The failure
/// names the partition.
///
/// Refuses what lay_out_gpt() and image_size() refuse; a descriptor that is not open for what the
/// partition needs; a writable sparse image; a file that is given twice, once writable.
result<composite_plan> plan_composite(const std::vector<partition_source>& partitions);

/// Where the components of a disk are.
struct composite_paths {
  std::string header;
  std::string footer;
  std::string filler; ///< Not used where the plan needs none.
  std::vector<std::string> images;
};

/// The disk in crosvm's order: header, each image with its filler, footer. Of version 1, which
/// every crosvm reads.
composite_file describe_composite(const composite_plan& plan, const composite_paths& paths);

} // namespace crosvisor::io
