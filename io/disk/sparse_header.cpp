// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/sparse_header.hpp"

#include "crosvisor/io/disk/little_endian.hpp"

#include <string>

namespace crosvisor::io {

namespace {

constexpr std::uint16_t known_major = 1;
constexpr std::uint16_t least_chunk_header = 12;

failure bad(const std::string& what) {
  return {0, "sparse image: " + what};
}

} // namespace

result<sparse_header> parse_sparse_header(std::string_view first_bytes) {
  if (!first_bytes.starts_with(sparse_magic))
    return bad("does not begin with the bytes 3a ff 26 ed");
  if (first_bytes.size() < sparse_header_bytes)
    return bad("has no whole header");
  if (auto major = little_endian<std::uint16_t>(first_bytes, 4); major != known_major)
    return bad("has version " + std::to_string(major) + "; known is 1");
  sparse_header header;
  header.header_bytes = little_endian<std::uint16_t>(first_bytes, 8);
  header.chunk_header_bytes = little_endian<std::uint16_t>(first_bytes, 10);
  header.block_bytes = little_endian<std::uint32_t>(first_bytes, 12);
  header.total_blocks = little_endian<std::uint32_t>(first_bytes, 16);
  header.total_chunks = little_endian<std::uint32_t>(first_bytes, 20);
  if (header.header_bytes < sparse_header_bytes || header.chunk_header_bytes < least_chunk_header)
    return bad("has headers of " + std::to_string(header.header_bytes) + " and "
               + std::to_string(header.chunk_header_bytes) + " bytes; 28 and 12 are the least");
  if (header.block_bytes == 0 || header.block_bytes % 4 != 0)
    return bad("has blocks of " + std::to_string(header.block_bytes)
               + " bytes; a multiple of 4 is needed");
  return header;
}

} // namespace crosvisor::io
