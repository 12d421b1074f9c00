// SPDX-License-Identifier: Apache-2.0
// Reads the GUID partition tables of any disk, and says what is wrong with them.
#pragma once

#include "crosvisor/io/disk/guid.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::io {

/// Entries and bytes of a table that are read at most; other tools stop at 128 entries of 128
/// bytes.
inline constexpr std::uint32_t max_read_entries = 1024;
inline constexpr std::uint32_t max_read_entry_bytes = 512;
/// How many problems are told; there may be more.
inline constexpr std::size_t max_gpt_problems = 64;
/// The problem that every disk of crosvm has: both its headers name the one table behind the first.
inline constexpr const char* shared_table_problem =
  "the backup header points to the primary table, not to a copy of its own";

/// One entry that is in use.
struct gpt_entry {
  std::uint32_t number = 0; ///< Its place in the table, from 1.
  std::string label;        ///< UTF-8, whatever was stored.
  guid type;
  guid id;
  std::uint64_t first_sector = 0;
  std::uint64_t last_sector = 0; ///< The last one of its own.
};

struct gpt_contents {
  guid disk;
  std::vector<gpt_entry> partitions; ///< As the table has them.
  /// Sentences for people, empty for a sound disk: `the backup header is missing`.
  std::vector<std::string> problems;
};

/// Reads a disk of 512-byte sectors: the protective MBR, both headers, both tables; compares them,
/// and checks sums, ranges and overlaps (UEFI 2.10, 5.3). The partitions are the primary table's,
/// or the backup's where only that one is sound. All of it may be a stranger's; memory is that of a
/// few tables. Blocks as `disk` does.
/// @param size_bytes of the disk.
/// @returns a failure where the disk can't be read, or has no header at either end.
result<gpt_contents> read_gpt(const byte_source& disk, std::uint64_t size_bytes);

} // namespace crosvisor::io
