// SPDX-License-Identifier: Apache-2.0
// The file that describes a composite disk: crosvm's format (disk/src/composite.rs,
// protos/src/cdisk_spec.proto at google/crosvm f1e797a68dad).
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

/// What every composite file begins with.
inline constexpr std::string_view composite_magic{"composite_disk\x1d", 15};
/// How large a composite file may be; that of a disk with 128 partitions has some 40 KiB.
inline constexpr std::size_t max_composite_file_bytes = 4u << 20;
inline constexpr std::size_t max_composite_components = 4096;

/// A part of a composite disk. It ends where the next one begins, the last one with the disk.
struct composite_component {
  std::string path;
  std::uint64_t offset = 0;      ///< In the disk, in bytes.
  std::uint64_t file_offset = 0; ///< Where its data begins in its file; of version 2 alone.
  bool writable = false;
};

struct composite_file {
  /// 1 is what every crosvm reads; 2 also takes paths as relative to the composite file's folder.
  std::uint64_t version = 1;
  /// In the order of their offsets, each different, the first at 0.
  std::vector<composite_component> components;
  std::uint64_t size_bytes = 0;
};

/// The file's bytes.
std::string serialize(const composite_file& file);

/// The inverse; refuses what no crosvm opens: another magic or version, two components at one
/// offset, none at 0, one at or behind the end.
result<composite_file> parse_composite_file(std::string_view bytes);

} // namespace crosvisor::io
