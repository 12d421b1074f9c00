// SPDX-License-Identifier: Apache-2.0
// Composite disks in files, to be kept.
#pragma once

#include "crosvisor/io/disk/composite_part.hpp"
#include "crosvisor/io/job_control.hpp"
#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::io {

/// Puts a disk together from files, as `crosvm create_composite` does: writes `out`, which
/// describes it, and beside it `out`.header, `out`.footer and `out`.filler. The description is of
/// version 1 and names all components by absolute paths, with the symlinks of their folders
/// resolved, so that every crosvm opens it wherever it runs.
///
/// Opens the partitions' files with this process's rights. Never over a file that is there, and all
/// or nothing: after a failure none of the four is there, and after a success all are on the disk
/// (fsync(2)); `out` comes last. Blocks as long as that takes.
/// @returns the disk's size in bytes. The failure names the file or partition.
result<std::uint64_t> create_composite_files(const std::string& out,
                                             const std::vector<composite_part>& parts,
                                             const job_control& control);

} // namespace crosvisor::io
