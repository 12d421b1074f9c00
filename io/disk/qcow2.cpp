// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/qcow2.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/byte_order.hpp"

#include <algorithm>

namespace crosvisor::io {

namespace {

constexpr std::uint32_t magic = 0x514649fb;
constexpr std::size_t version_2_bytes = 72;
constexpr std::size_t version_3_bytes = 104;
constexpr std::uint32_t written_cluster_bits = 16;
constexpr std::uint64_t cluster_bytes = std::uint64_t{1} << written_cluster_bits;
/// What one cluster of an L2 table maps: 8,192 clusters.
constexpr std::uint64_t l2_reach_bytes = cluster_bytes / 8 * cluster_bytes;
/// An external data file, bit 2 of the incompatible features.
constexpr std::uint64_t external_data_file = 1u << 2;
/// Names are at most that long, by the format.
constexpr std::uint32_t max_backing_file_bytes = 1023;

std::uint64_t count(std::uint64_t bytes, std::uint64_t unit) {
  return bytes / unit + (bytes % unit != 0 ? 1 : 0);
}

/// The clusters of an image all of which is allocated, as crosvm counts them when it rebuilds
/// refcounts: data, L2 tables, L1 table, header, refcount blocks, their table, and those for both.
std::uint64_t most_clusters(std::uint64_t virtual_bytes) {
  auto l1_entries = count(virtual_bytes, l2_reach_bytes);
  auto mapped =
    count(virtual_bytes, cluster_bytes) + l1_entries + count(l1_entries, cluster_bytes) + 1;
  auto blocks = count(mapped * 2, cluster_bytes);
  auto tables = count(blocks * 8, cluster_bytes);
  auto blocks_for_both = count((blocks + tables) * 2, cluster_bytes);
  return mapped + blocks + tables + blocks_for_both + count(blocks_for_both * 8, cluster_bytes);
}

void put_header(std::string& image, std::uint64_t virtual_bytes) {
  put_big_endian(image, 0, magic);
  put_big_endian(image, 4, std::uint32_t{3});
  put_big_endian(image, 20, written_cluster_bits);
  put_big_endian(image, 24, virtual_bytes);
  put_big_endian(image, 36, static_cast<std::uint32_t>(count(virtual_bytes, l2_reach_bytes)));
  put_big_endian(image, 40, cluster_bytes);
  put_big_endian(image, 48, 2 * cluster_bytes);
  put_big_endian(image, 56, std::uint32_t{1});
  put_big_endian(image, 96, std::uint32_t{4});
  put_big_endian(image, 100, static_cast<std::uint32_t>(version_3_bytes));
}

/// Reads what a header's fields are; names and features come later.
qcow2_header parse_fields(std::string_view bytes) {
  qcow2_header header;
  header.version = big_endian<std::uint32_t>(bytes, 4);
  header.cluster_bits = big_endian<std::uint32_t>(bytes, 20);
  header.virtual_bytes = big_endian<std::uint64_t>(bytes, 24);
  header.crypt_method = big_endian<std::uint32_t>(bytes, 32);
  header.l1_entries = big_endian<std::uint32_t>(bytes, 36);
  header.l1_offset = big_endian<std::uint64_t>(bytes, 40);
  header.refcount_table_offset = big_endian<std::uint64_t>(bytes, 48);
  header.refcount_table_clusters = big_endian<std::uint32_t>(bytes, 56);
  header.snapshots = big_endian<std::uint32_t>(bytes, 60);
  if (header.version < 3)
    return header;
  header.incompatible_features = big_endian<std::uint64_t>(bytes, 72);
  header.compatible_features = big_endian<std::uint64_t>(bytes, 80);
  header.autoclear_features = big_endian<std::uint64_t>(bytes, 88);
  header.refcount_order = big_endian<std::uint32_t>(bytes, 96);
  header.header_bytes = big_endian<std::uint32_t>(bytes, 100);
  header.data_file = (header.incompatible_features & external_data_file) != 0;
  return header;
}

/// Looks at a header's numbers, one after the other.
class header_check {
public:
  header_check(qcow2_header& header, std::uint64_t file_bytes)
      : header_(header), file_bytes_(file_bytes) {}

  void run() {
    check_version();
    check_refcounts();
    if (header_.cluster_bits < 9 || header_.cluster_bits > 21) {
      complain("has clusters of 2^" + std::to_string(header_.cluster_bits)
               + " bytes; allowed are 2^9 to 2^21");
      return;
    }
    check_size();
    check_table("L1 table", header_.l1_offset, std::uint64_t{header_.l1_entries} * 8);
    check_table("refcount table", header_.refcount_table_offset,
                std::uint64_t{header_.refcount_table_clusters} << header_.cluster_bits);
  }

private:
  void complain(const std::string& what) { header_.problems.push_back(what); }

  void check_version() {
    if (header_.version != 2 && header_.version != 3)
      complain("has version " + std::to_string(header_.version) + "; known are 2 and 3");
    if (header_.version == 2)
      complain("has version 2, which crosvm doesn't read");
    if (header_.version >= 3 && header_.header_bytes < version_3_bytes)
      complain("has a header of " + std::to_string(header_.header_bytes) + " bytes; at least "
               + std::to_string(version_3_bytes) + " are there");
    if (header_.crypt_method != 0)
      complain("is encrypted, which crosvm doesn't see");
    if (header_.data_file)
      complain("has its data in another file, which is never followed");
    if ((header_.incompatible_features & 2) != 0)
      complain("is marked as corrupt");
    if ((header_.incompatible_features & ~std::uint64_t{0x1f}) != 0)
      complain("has incompatible features that nobody knows");
  }

  void check_refcounts() {
    if (header_.refcount_order != 4)
      complain("has refcounts of 2^" + std::to_string(header_.refcount_order)
               + " bits; crosvm reads those of 16 alone");
    if (header_.refcount_table_clusters == 0)
      complain("has no refcount table");
  }

  void check_size() {
    // A cluster of an L2 table holds that many bytes' worth of offsets.
    auto reach_bits = 2 * header_.cluster_bits - 3;
    auto needed = count(header_.virtual_bytes, std::uint64_t{1} << reach_bits);
    if (needed > max_qcow2_clusters)
      complain("claims " + std::to_string(header_.virtual_bytes)
               + " bytes, more than crosvm takes");
    else if (header_.l1_entries < needed)
      complain("has " + std::to_string(header_.l1_entries) + " L1 entries; its size needs "
               + std::to_string(needed));
  }

  void check_table(const char* name, std::uint64_t offset, std::uint64_t bytes) {
    if (bytes == 0)
      return;
    if (offset == 0 || offset % (std::uint64_t{1} << header_.cluster_bits) != 0)
      complain(std::string{"has its "} + name + " at " + std::to_string(offset)
               + ", which is no cluster's beginning");
    else if (offset > file_bytes_ || bytes > file_bytes_ - offset)
      complain(std::string{"has its "} + name + " behind the file's end");
  }

  qcow2_header& header_;
  const std::uint64_t file_bytes_;
};

result<void> read_backing_file(const byte_source& image, std::string_view bytes,
                               qcow2_header& header) {
  auto offset = big_endian<std::uint64_t>(bytes, 8);
  auto size = big_endian<std::uint32_t>(bytes, 16);
  if (offset == 0)
    return {};
  auto name = image(offset, std::min(size, max_backing_file_bytes));
  if (!name)
    return name.why();
  header.backing_file = name->empty() ? "?" : *name;
  header.problems.push_back("has the backing file " + in_quotes(header.backing_file)
                            + ", which is never followed");
  if (size > max_backing_file_bytes || name->size() < std::min(size, max_backing_file_bytes))
    header.problems.push_back("has a backing file's name of " + std::to_string(size)
                              + " bytes, which are not there or too many");
  return {};
}

} // namespace

result<std::string> make_empty_qcow2(std::uint64_t virtual_bytes) {
  if (virtual_bytes == 0)
    return failure{0, "a qcow2 of 0 bytes; it has at least one"};
  // The first bound keeps the count from overflowing.
  if (virtual_bytes > max_qcow2_clusters * cluster_bytes
      || most_clusters(virtual_bytes) > max_qcow2_clusters)
    return failure{0, "a qcow2 of " + std::to_string(virtual_bytes) + " bytes would have more than "
                        + std::to_string(max_qcow2_clusters) + " clusters; crosvm takes no more"};
  // Within that bound the L1 table, the refcount table and the refcounts of these four clusters fit
  // into one cluster each.
  std::string image(4 * cluster_bytes, '\0');
  put_header(image, virtual_bytes);
  put_big_endian(image, 2 * cluster_bytes, 3 * cluster_bytes);
  for (std::size_t used = 0; used < 4; ++used)
    put_big_endian(image, 3 * cluster_bytes + 2 * used, std::uint16_t{1});
  return image;
}

result<qcow2_header> read_qcow2_header(const byte_source& image, std::uint64_t file_bytes) {
  auto bytes = image(0, version_3_bytes);
  if (!bytes)
    return bytes.why();
  if (big_endian<std::uint32_t>(*bytes, 0) != magic)
    return failure{0, "is no qcow2: it does not begin with QFI and the byte 0xfb"};
  auto version = big_endian<std::uint32_t>(*bytes, 4);
  if (bytes->size() < (version >= 3 ? version_3_bytes : version_2_bytes))
    return failure{0, "is no qcow2: it ends within its header"};
  auto header = parse_fields(*bytes);
  header_check{header, file_bytes}.run();
  if (auto read = read_backing_file(image, *bytes, header); !read)
    return read.why();
  return header;
}

} // namespace crosvisor::io
