// SPDX-License-Identifier: Apache-2.0
// Makes the bytes of Android sparse images, sound ones and others.
#pragma once

#include <cstdint>
#include <string>

namespace crosvisor::tests {

inline std::string le(std::uint64_t value, int bytes) {
  std::string text;
  for (; bytes > 0; --bytes, value >>= 8)
    text += static_cast<char>(value);
  return text;
}

inline std::string sparse_head(std::uint32_t block_bytes, std::uint32_t blocks,
                               std::uint32_t chunks) {
  return "\x3a\xff\x26\xed" + le(1, 2) + le(0, 2) + le(28, 2) + le(12, 2) + le(block_bytes, 4)
         + le(blocks, 4) + le(chunks, 4) + le(0, 4);
}

inline std::string sparse_chunk(std::uint16_t type, std::uint32_t blocks,
                                const std::string& data = {}) {
  return le(type, 2) + le(0, 2) + le(blocks, 4) + le(12 + data.size(), 4) + data;
}

inline constexpr std::uint16_t raw_chunk = 0xcac1;
inline constexpr std::uint16_t fill_chunk = 0xcac2;
inline constexpr std::uint16_t dont_care_chunk = 0xcac3;
inline constexpr std::uint16_t crc32_chunk = 0xcac4;

/// Two blocks of data, one of `wxyz`, three of nothing, one of zeros, a checksum, one of data; each
/// of 8 bytes.
inline std::string small_sparse_image() {
  return sparse_head(8, 8, 6) + sparse_chunk(raw_chunk, 2, "0123456789abcdef")
         + sparse_chunk(fill_chunk, 1, "wxyz") + sparse_chunk(dont_care_chunk, 3)
         + sparse_chunk(fill_chunk, 1, std::string(4, '\0')) + sparse_chunk(crc32_chunk, 0, "sum!")
         + sparse_chunk(raw_chunk, 1, "ABCDEFGH");
}

/// What that unfolds to.
inline std::string small_sparse_disk() {
  return "0123456789abcdefwxyzwxyz" + std::string(32, '\0') + "ABCDEFGH";
}

} // namespace crosvisor::tests
