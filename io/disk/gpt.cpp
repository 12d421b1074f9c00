// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/gpt.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/byte_order.hpp"
#include "crosvisor/messages/text.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <boost/crc.hpp>

#include <algorithm>
#include <map>

namespace crosvisor::io {

namespace {

static_assert(max_partitions == gpt_entries && max_label_units == gpt_name_units);

constexpr std::size_t table_bytes = gpt_entries * gpt_entry_bytes;
/// Entries and header at the disk's end.
constexpr std::size_t secondary_bytes = table_bytes + gpt_sector_bytes;

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + partition_alignment_bytes - 1) / partition_alignment_bytes
         * partition_alignment_bytes;
}

failure bad(const gpt_partition& partition, const std::string& what) {
  return {0, partition.what + ": " + what};
}

result<void> check_size(const gpt_partition& partition) {
  if (partition.size_bytes == 0)
    return bad(partition, "has no bytes; a partition has at least one");
  if (partition.writable && partition.size_bytes % partition_alignment_bytes != 0)
    return bad(partition, "has " + std::to_string(partition.size_bytes)
                            + " bytes; a writable partition's size is a multiple of "
                            + std::to_string(partition_alignment_bytes));
  if (partition.size_bytes > max_gpt_disk_bytes)
    return bad(partition,
               "has " + std::to_string(partition.size_bytes) + " bytes; a disk has at most 2 TiB");
  return {};
}

/// Names and sizes, each partition beside the others.
result<void> check_partitions(const std::vector<gpt_partition>& partitions) {
  if (partitions.empty())
    return failure{0, "the disk has no partitions; it needs one"};
  if (partitions.size() > gpt_entries)
    return failure{0, "the disk has " + std::to_string(partitions.size()) + " partitions; at most "
                        + std::to_string(gpt_entries) + " are allowed"};
  std::map<std::string, const gpt_partition*> labels;
  std::map<guid, const gpt_partition*> ids;
  for (const auto& partition : partitions) {
    if (auto problem = label_problem(partition.label))
      return bad(partition, "its label " + *problem);
    if (auto [other, added] = labels.emplace(partition.label, &partition); !added)
      return bad(partition, "its label " + in_quotes(partition.label) + " is that of "
                              + other->second->what + ", too");
    if (auto [other, added] = ids.emplace(partition.id, &partition); !added)
      return bad(partition, "its GUID " + to_string(partition.id) + " is that of "
                              + other->second->what + ", too");
    if (auto sized = check_size(partition); !sized)
      return sized;
  }
  return {};
}

/// Where each partition begins, and how large the disk is.
result<void> place(const std::vector<gpt_partition>& partitions, gpt_layout& layout) {
  std::uint64_t end = gpt_area_bytes;
  for (const auto& partition : partitions) {
    layout.offsets.push_back(end);
    // Neither term has more than 41 bits.
    end += aligned(partition.size_bytes);
    if (end + gpt_area_bytes > max_gpt_disk_bytes)
      return bad(partition, "does not fit; the disk would have more than 2 TiB");
  }
  layout.footer_offset = end;
  layout.size_bytes = end + gpt_area_bytes;
  return {};
}

void put_guid(std::string& bytes, std::size_t at, const guid& id) {
  auto stored = mixed_endian(id).bytes;
  std::copy(stored.begin(), stored.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

std::string entries_of(const std::vector<gpt_partition>& partitions, const gpt_layout& layout) {
  std::string table(table_bytes, '\0');
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    auto at = i * gpt_entry_bytes;
    auto end = i + 1 < partitions.size() ? layout.offsets[i + 1] : layout.footer_offset;
    put_guid(table, at, linux_filesystem_type);
    put_guid(table, at + 16, partitions[i].id);
    put_little_endian(table, at + 32, layout.offsets[i] / gpt_sector_bytes);
    put_little_endian(table, at + 40, end / gpt_sector_bytes - 1);
    auto name = to_utf16(partitions[i].label).value_or(u"");
    for (std::size_t k = 0; k < name.size(); ++k)
      put_little_endian(table, at + 56 + 2 * k, static_cast<std::uint16_t>(name[k]));
  }
  return table;
}

std::string protective_mbr(std::uint64_t disk_bytes) {
  std::string mbr(gpt_sector_bytes, '\0');
  mbr[446 + 4] = '\xee';
  put_little_endian(mbr, 446 + 8, std::uint32_t{1});
  // The whole disk, its first sector included, is what crosvm writes.
  put_little_endian(mbr, 446 + 12, static_cast<std::uint32_t>(disk_bytes / gpt_sector_bytes));
  mbr[510] = '\x55';
  mbr[511] = '\xaa';
  return mbr;
}

/// What the two headers of a disk have in common.
struct header_fields {
  guid disk;
  std::uint64_t last_usable;
  std::uint32_t entries_crc;
};

/// The sector of one header.
std::string header_sector(const header_fields& fields, std::uint64_t at, std::uint64_t other,
                          std::uint64_t entries_at) {
  std::string sector{gpt_signature};
  sector.resize(gpt_sector_bytes);
  put_little_endian(sector, 8, std::uint32_t{0x00010000}); // revision 1.0
  put_little_endian(sector, 12, static_cast<std::uint32_t>(gpt_header_bytes));
  put_little_endian(sector, 24, at);
  put_little_endian(sector, 32, other);
  put_little_endian(sector, 40, std::uint64_t{gpt_area_bytes / gpt_sector_bytes});
  put_little_endian(sector, 48, fields.last_usable);
  put_guid(sector, 56, fields.disk);
  put_little_endian(sector, 72, entries_at);
  put_little_endian(sector, 80, static_cast<std::uint32_t>(gpt_entries));
  put_little_endian(sector, 84, static_cast<std::uint32_t>(gpt_entry_bytes));
  put_little_endian(sector, 88, fields.entries_crc);
  put_little_endian(sector, 16, crc32(std::string_view{sector}.substr(0, gpt_header_bytes)));
  return sector;
}

} // namespace

std::uint32_t crc32(std::string_view bytes) {
  boost::crc_32_type sum;
  sum.process_bytes(bytes.data(), bytes.size());
  return sum.checksum();
}

result<gpt_layout> lay_out_gpt(const std::vector<gpt_partition>& partitions, const guid& disk) {
  if (auto sound = check_partitions(partitions); !sound)
    return sound.why();
  gpt_layout layout;
  if (auto placed = place(partitions, layout); !placed)
    return placed.why();
  auto entries = entries_of(partitions, layout);
  auto secondary = (layout.size_bytes - secondary_bytes) / gpt_sector_bytes;
  auto last = layout.size_bytes / gpt_sector_bytes - 1;
  header_fields fields{disk, secondary - 1, crc32(entries)};
  layout.header = protective_mbr(layout.size_bytes) + header_sector(fields, 1, last, 2) + entries;
  layout.header.resize(gpt_area_bytes);
  layout.footer = std::string(gpt_area_bytes - secondary_bytes, '\0') + entries
                  + header_sector(fields, last, 1, secondary);
  return layout;
}

} // namespace crosvisor::io
