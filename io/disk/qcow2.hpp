// SPDX-License-Identifier: Apache-2.0
// qcow2 images: empty ones to write, headers to look at. QEMU's docs/interop/qcow2.txt has the
// format.
#pragma once

#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::io {

/// What crosvm's reader takes: it refuses images of more clusters, metadata included
/// (disk/src/qcow/mod.rs, MAX_RAM_POINTER_TABLE_SIZE).
inline constexpr std::uint64_t max_qcow2_clusters = 35'000'000;

/// The bytes of an image of `virtual_bytes`, nothing of which is allocated: what crosvm's QcowFile
/// makes, without the cluster that this leaks. Header, empty L1 table, refcount table, refcount
/// block, a cluster of 64 KiB each. A failure, of the code 0, for 0 bytes and for more than crosvm
/// takes.
result<std::string> make_empty_qcow2(std::uint64_t virtual_bytes);

/// A header, all numbers as they stand there.
struct qcow2_header {
  std::uint32_t version = 0;
  std::uint32_t cluster_bits = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint32_t crypt_method = 0;
  std::uint32_t l1_entries = 0;
  std::uint64_t l1_offset = 0;
  std::uint64_t refcount_table_offset = 0;
  std::uint32_t refcount_table_clusters = 0;
  std::uint32_t snapshots = 0;
  std::uint64_t incompatible_features = 0; ///< Of version 3, like the fields below.
  std::uint64_t compatible_features = 0;
  std::uint64_t autoclear_features = 0;
  std::uint32_t refcount_order = 4; ///< Refcounts of 2^refcount_order bits.
  std::uint32_t header_bytes = 72;
  std::string backing_file; ///< A stranger's text; empty: none.
  bool data_file = false;   ///< The data is in another file.
  /// Why crosvm or QEMU wouldn't open it, or why this service wouldn't; empty for a sound image.
  std::vector<std::string> problems;
};

/// Reads the header of an image of `file_bytes`. A failure only where there is none: another magic,
/// fewer bytes than a header has, or bytes that can't be read. Blocks as `image` does.
result<qcow2_header> read_qcow2_header(const byte_source& image, std::uint64_t file_bytes);

} // namespace crosvisor::io
