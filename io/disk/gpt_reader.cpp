// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/gpt_reader.hpp"

#include "crosvisor/io/disk/byte_order.hpp"
#include "crosvisor/io/disk/gpt.hpp"
#include "crosvisor/messages/text.hpp"

#include <algorithm>
#include <optional>

namespace crosvisor::io {

namespace {

/// The fields of a header that count.
struct header_fields {
  std::uint32_t header_bytes;
  std::uint32_t sum;
  std::uint64_t at;
  std::uint64_t other;
  std::uint64_t first_usable;
  std::uint64_t last_usable;
  guid disk;
  std::uint64_t entries_at;
  std::uint32_t entries;
  std::uint32_t entry_bytes;
  std::uint32_t entries_sum;
};

/// One of the disk's two tables, as far as it could be read.
struct table {
  const char* name; ///< `primary` or `backup`.
  std::optional<header_fields> header;
  std::string entries;
  bool sound = false; ///< Both sums are right.
};

guid guid_at(std::string_view bytes, std::size_t at) {
  guid stored;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), stored.bytes.size(),
              stored.bytes.begin());
  return mixed_endian(stored);
}

header_fields parse_header(std::string_view sector) {
  return {little_endian<std::uint32_t>(sector, 12),
          little_endian<std::uint32_t>(sector, 16),
          little_endian<std::uint64_t>(sector, 24),
          little_endian<std::uint64_t>(sector, 32),
          little_endian<std::uint64_t>(sector, 40),
          little_endian<std::uint64_t>(sector, 48),
          guid_at(sector, 56),
          little_endian<std::uint64_t>(sector, 72),
          little_endian<std::uint32_t>(sector, 80),
          little_endian<std::uint32_t>(sector, 84),
          little_endian<std::uint32_t>(sector, 88)};
}

class gpt_reader {
public:
  gpt_reader(const byte_source& disk, std::uint64_t size_bytes)
      : disk_(disk), sectors_(size_bytes / gpt_sector_bytes) {}

  result<gpt_contents> read();

private:
  void complain(const std::string& what) {
    if (contents_.problems.size() < max_gpt_problems)
      contents_.problems.push_back(what);
  }

  result<void> read_mbr();
  result<void> read_header(table& from, std::uint64_t sector);
  bool check_header_sum(const table& from, const std::string& sector);
  void check_places(const table& from, std::uint64_t sector);
  result<void> read_entries(table& from);
  void compare();
  void take_partitions(const table& from);
  void check_ranges(const table& from);
  void check_overlaps();

  const byte_source& disk_;
  const std::uint64_t sectors_;
  table primary_{"primary", {}, {}};
  table backup_{"backup", {}, {}};
  gpt_contents contents_;
};

result<void> gpt_reader::read_mbr() {
  auto mbr = disk_(0, gpt_sector_bytes);
  if (!mbr)
    return mbr.why();
  if (mbr->size() < gpt_sector_bytes || mbr->substr(510) != "\x55\xaa") {
    complain("the protective MBR is missing");
    return {};
  }
  for (std::size_t entry = 446; entry < 510; entry += 16) {
    if ((*mbr)[entry + 4] != '\xee')
      continue;
    // UEFI has one sector less than crosvm and we write; both mean all of them.
    auto covered = little_endian<std::uint32_t>(*mbr, entry + 12);
    auto all = std::min<std::uint64_t>(sectors_, 0xffff'ffffu);
    if (covered != all && covered != all - 1 && covered != 0xffff'ffffu)
      complain("the protective MBR covers " + std::to_string(covered) + " sectors of "
               + std::to_string(sectors_));
    return {};
  }
  complain("the MBR is not a protective one");
  return {};
}

bool gpt_reader::check_header_sum(const table& from, const std::string& sector) {
  auto size = from.header->header_bytes;
  if (size < gpt_header_bytes || size > gpt_sector_bytes) {
    complain(std::string{"the "} + from.name + " header claims " + std::to_string(size) + " bytes");
    return false;
  }
  auto summed = sector.substr(0, size);
  put_little_endian(summed, 16, std::uint32_t{0});
  if (crc32(summed) == from.header->sum)
    return true;
  complain(std::string{"the "} + from.name + " header's checksum is wrong");
  return false;
}

void gpt_reader::check_places(const table& from, std::uint64_t sector) {
  const auto& header = *from.header;
  auto name = std::string{"the "} + from.name + " header ";
  if (header.at != sector)
    complain(name + "claims to be in sector " + std::to_string(header.at) + ", and is in "
             + std::to_string(sector));
  auto other = sector == 1 ? sectors_ - 1 : 1;
  if (header.other != other)
    complain(name + "has the other one in sector " + std::to_string(header.other) + ", not in "
             + std::to_string(other));
  if (header.first_usable > header.last_usable || header.last_usable >= sectors_)
    complain(name + "has its usable sectors from " + std::to_string(header.first_usable) + " to "
             + std::to_string(header.last_usable) + ", of " + std::to_string(sectors_));
}

result<void> gpt_reader::read_header(table& from, std::uint64_t sector) {
  auto bytes = disk_(sector * gpt_sector_bytes, gpt_sector_bytes);
  if (!bytes)
    return bytes.why();
  if (bytes->size() < gpt_sector_bytes || !bytes->starts_with(gpt_signature)) {
    complain(std::string{"the "} + from.name + " header is missing");
    return {};
  }
  from.header = parse_header(*bytes);
  from.sound = check_header_sum(from, *bytes);
  check_places(from, sector);
  return read_entries(from);
}

result<void> gpt_reader::read_entries(table& from) {
  const auto& header = *from.header;
  auto name = std::string{"the "} + from.name + " table ";
  auto fits = header.entries <= max_read_entries && header.entry_bytes <= max_read_entry_bytes
              && header.entry_bytes >= gpt_entry_bytes && header.entry_bytes % 8 == 0;
  if (!fits) {
    from.sound = false;
    complain(name + "has " + std::to_string(header.entries) + " entries of "
             + std::to_string(header.entry_bytes) + " bytes");
    return {};
  }
  std::size_t size = std::size_t{header.entries} * header.entry_bytes;
  if (header.entries_at < 2 || header.entries_at >= sectors_) {
    from.sound = false;
    complain(name + "begins in sector " + std::to_string(header.entries_at) + ", of "
             + std::to_string(sectors_));
    return {};
  }
  auto entries = disk_(header.entries_at * gpt_sector_bytes, size);
  if (!entries)
    return entries.why();
  if (entries->size() < size || crc32(*entries) != header.entries_sum) {
    from.sound = false;
    complain(name + (entries->size() < size ? "ends behind the disk" : "has a wrong checksum"));
  }
  from.entries = std::move(*entries);
  return {};
}

void gpt_reader::compare() {
  if (!primary_.header || !backup_.header)
    return;
  if (primary_.header->disk != backup_.header->disk)
    complain("the two headers have different disk GUIDs");
  if (primary_.header->entries_at == backup_.header->entries_at)
    complain(shared_table_problem);
  if (primary_.sound && backup_.sound && primary_.entries != backup_.entries)
    complain("the two tables differ");
}

void gpt_reader::take_partitions(const table& from) {
  const auto& header = *from.header;
  contents_.disk = header.disk;
  if (header.entry_bytes < gpt_entry_bytes)
    return;
  auto there = std::min<std::size_t>(header.entries, from.entries.size() / header.entry_bytes);
  for (std::size_t i = 0; i < there; ++i) {
    auto bytes = std::string_view{from.entries}.substr(i * header.entry_bytes, gpt_entry_bytes);
    gpt_entry entry;
    entry.type = guid_at(bytes, 0);
    if (entry.type == guid{})
      continue;
    entry.number = static_cast<std::uint32_t>(i + 1);
    entry.id = guid_at(bytes, 16);
    entry.first_sector = little_endian<std::uint64_t>(bytes, 32);
    entry.last_sector = little_endian<std::uint64_t>(bytes, 40);
    std::u16string label;
    for (std::size_t at = 56; at < gpt_entry_bytes; at += 2) {
      auto unit = little_endian<std::uint16_t>(bytes, at);
      if (unit == 0)
        break;
      label += static_cast<char16_t>(unit);
    }
    entry.label = to_utf8(label);
    contents_.partitions.push_back(std::move(entry));
  }
}

void gpt_reader::check_ranges(const table& from) {
  for (const auto& entry : contents_.partitions)
    if (entry.first_sector > entry.last_sector || entry.first_sector < from.header->first_usable
        || entry.last_sector > from.header->last_usable)
      complain("partition " + std::to_string(entry.number) + " is in sectors "
               + std::to_string(entry.first_sector) + " to " + std::to_string(entry.last_sector)
               + "; usable are " + std::to_string(from.header->first_usable) + " to "
               + std::to_string(from.header->last_usable));
}

void gpt_reader::check_overlaps() {
  std::vector<const gpt_entry*> sorted;
  for (const auto& entry : contents_.partitions)
    if (entry.first_sector <= entry.last_sector)
      sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](auto* a, auto* b) { return a->first_sector < b->first_sector; });
  const gpt_entry* furthest = nullptr;
  for (const auto* entry : sorted) {
    if (furthest != nullptr && entry->first_sector <= furthest->last_sector)
      complain("partitions " + std::to_string(furthest->number) + " and "
               + std::to_string(entry->number) + " overlap");
    if (furthest == nullptr || entry->last_sector > furthest->last_sector)
      furthest = entry;
  }
}

result<gpt_contents> gpt_reader::read() {
  if (sectors_ < 3)
    return failure{0, "has no GPT: it is too small"};
  if (auto read = read_mbr(); !read)
    return read.why();
  if (auto read = read_header(primary_, 1); !read)
    return read.why();
  if (auto read = read_header(backup_, sectors_ - 1); !read)
    return read.why();
  if (!primary_.header && !backup_.header)
    return failure{0, "has no GPT: EFI PART is neither in its second sector nor in its last one"};
  compare();
  auto from_backup = !primary_.header || (!primary_.sound && backup_.sound);
  const auto& from = from_backup ? backup_ : primary_;
  take_partitions(from);
  check_ranges(from);
  check_overlaps();
  return std::move(contents_);
}

} // namespace

result<gpt_contents> read_gpt(const byte_source& disk, std::uint64_t size_bytes) {
  return gpt_reader{disk, size_bytes}.read();
}

} // namespace crosvisor::io
