// SPDX-License-Identifier: Apache-2.0
// The header of an Android sparse image.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crosvisor::io {

inline constexpr std::size_t sparse_header_bytes = 28;
inline constexpr std::uint32_t sparse_magic = 0xed26ff3a;
/// No partition is larger.
inline constexpr std::uint64_t max_sparse_image_bytes = std::uint64_t{1} << 41;

/// All numbers are little-endian in the file, in this order from its beginning (AOSP
/// system/core/libsparse/sparse_format.h).
struct sparse_header {
  std::uint16_t major_version = 0;
  std::uint16_t minor_version = 0;
  std::uint16_t header_bytes = 0; ///< Of this header in the file; more than these are skipped.
  std::uint16_t chunk_header_bytes = 0; ///< The same of each chunk's header.
  std::uint32_t block_bytes = 0;
  std::uint32_t blocks = 0; ///< Of the image when it is not sparse.
  std::uint32_t chunks = 0;
  std::uint32_t image_crc = 0; ///< 0: none.

  /// What a reader sees; fits by parse_sparse_header().
  std::uint64_t image_bytes() const noexcept { return std::uint64_t{block_bytes} * blocks; }
};

/// Reads a file's first bytes, of which sparse_header_bytes count. Refuses what no reader of
/// Android's takes: another magic or major version, headers that are too short, blocks of a size
/// that is 0 or no multiple of 4; and an image of no bytes or of more than max_sparse_image_bytes.
result<sparse_header> parse_sparse_header(std::string_view first_bytes);

} // namespace crosvisor::io
