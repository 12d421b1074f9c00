// SPDX-License-Identifier: Apache-2.0
// The first bytes of an Android sparse image: libsparse's format (AOSP system/core,
// libsparse/sparse_format.h).
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crosvisor::io {

/// What every sparse image begins with.
inline constexpr std::string_view sparse_magic{"\x3a\xff\x26\xed", 4};
/// How many bytes parse_sparse_header needs.
inline constexpr std::size_t sparse_header_bytes = 28;

struct sparse_header {
  std::uint16_t header_bytes = 0;       ///< Where the first chunk begins; at least 28.
  std::uint16_t chunk_header_bytes = 0; ///< At least 12.
  std::uint32_t block_bytes = 0;        ///< Not 0, a multiple of 4.
  std::uint32_t total_blocks = 0;
  std::uint32_t total_chunks = 0;

  /// Of what the image unfolds to.
  std::uint64_t size_bytes() const noexcept { return std::uint64_t{block_bytes} * total_blocks; }
};

/// Reads the first bytes of an image. The failure has the code 0, and says nothing of which image.
result<sparse_header> parse_sparse_header(std::string_view first_bytes);

} // namespace crosvisor::io
