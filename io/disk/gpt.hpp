// SPDX-License-Identifier: Apache-2.0
// The two GUID partition tables of a disk that is put together from partitions. Pure.
#pragma once

#include "crosvisor/io/disk/guid.hpp"
#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

inline constexpr std::uint64_t gpt_sector_bytes = 512;
inline constexpr std::string_view gpt_signature = "EFI PART";
/// Of its fields; the rest of the header's sector is zero.
inline constexpr std::size_t gpt_header_bytes = 92;
inline constexpr std::size_t gpt_entry_bytes = 128;
inline constexpr std::size_t gpt_entries = 128;
/// UTF-16 units of the name in an entry.
inline constexpr std::size_t gpt_name_units = 36;
/// What stands before the first partition, and behind the last one: a GPT and zeros, so that all
/// partitions are aligned.
inline constexpr std::size_t gpt_area_bytes = 20'480;
/// Each partition begins at a multiple of it.
inline constexpr std::uint64_t partition_alignment_bytes = 4096;
/// What the protective MBR's count of sectors, of 32 bits, reaches.
inline constexpr std::uint64_t max_gpt_disk_bytes = 0xffff'ffffu * gpt_sector_bytes;

/// A partition to be laid out.
struct gpt_partition {
  std::string label;
  std::uint64_t size_bytes = 0;
  bool writable = false;
  guid id;
  std::string what; ///< How errors name it.
};

/// A disk's bytes outside of its partitions, and where those go. The disk is the header, then each
/// partition with zeros up to the next alignment, then the footer.
struct gpt_layout {
  std::string header;                 ///< gpt_area_bytes, from the disk's beginning.
  std::string footer;                 ///< The same, up to the disk's end.
  std::vector<std::uint64_t> offsets; ///< Of each partition, in the order given.
  std::uint64_t footer_offset = 0;
  std::uint64_t size_bytes = 0; ///< Of the disk.
};

/// The layout of crosvm since 2025-01-31 (disk/src/{composite,gpt}.rs at google/crosvm
/// f1e797a68dad), except that the secondary header points to its own copy of the entries, as UEFI
/// 2.10 (5.3.2) has it, and not to the primary's.
///
/// Refuses: no partition or more than gpt_entries, one of no bytes, a writable one that isn't
/// aligned (its padding would have to be written, too), labels that label_problem() refuses or that
/// are given twice, GUIDs that are given twice, a disk of more than max_gpt_disk_bytes. The failure
/// has the code 0.
result<gpt_layout> lay_out_gpt(const std::vector<gpt_partition>& partitions, const guid& disk);

/// CRC-32/ISO-HDLC, that of GPT and zlib.
std::uint32_t crc32(std::string_view bytes);

} // namespace crosvisor::io
