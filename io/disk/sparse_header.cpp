// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/sparse_header.hpp"

#include "crosvisor/io/disk/byte_order.hpp"

#include <string>

namespace crosvisor::io {

namespace {

constexpr std::uint16_t major_version = 1;
constexpr std::uint16_t chunk_header_bytes = 12;

failure bad(const std::string& what) {
  return {0, "sparse image: " + what};
}

sparse_header parse_fields(std::string_view first_bytes) {
  sparse_header header;
  header.major_version = little_endian<std::uint16_t>(first_bytes, 4);
  header.minor_version = little_endian<std::uint16_t>(first_bytes, 6);
  header.header_bytes = little_endian<std::uint16_t>(first_bytes, 8);
  header.chunk_header_bytes = little_endian<std::uint16_t>(first_bytes, 10);
  header.block_bytes = little_endian<std::uint32_t>(first_bytes, 12);
  header.blocks = little_endian<std::uint32_t>(first_bytes, 16);
  header.chunks = little_endian<std::uint32_t>(first_bytes, 20);
  header.image_crc = little_endian<std::uint32_t>(first_bytes, 24);
  return header;
}

result<void> check_lengths(const sparse_header& header) {
  if (header.header_bytes < sparse_header_bytes)
    return bad("its header claims " + std::to_string(header.header_bytes)
               + " bytes; it has at least " + std::to_string(sparse_header_bytes));
  if (header.chunk_header_bytes < chunk_header_bytes)
    return bad("its chunks' headers claim " + std::to_string(header.chunk_header_bytes)
               + " bytes; they have at least " + std::to_string(chunk_header_bytes));
  if (header.block_bytes == 0 || header.block_bytes % 4 != 0)
    return bad("its blocks have " + std::to_string(header.block_bytes)
               + " bytes; allowed are multiples of 4");
  return {};
}

} // namespace

result<sparse_header> parse_sparse_header(std::string_view first_bytes) {
  if (little_endian<std::uint32_t>(first_bytes, 0) != sparse_magic)
    return bad("does not begin with the bytes 3a ff 26 ed");
  if (first_bytes.size() < sparse_header_bytes)
    return bad("ends within its header");
  auto header = parse_fields(first_bytes);
  if (header.major_version != major_version)
    return bad("has version " + std::to_string(header.major_version) + '.'
               + std::to_string(header.minor_version) + "; known is 1");
  if (auto sound = check_lengths(header); !sound)
    return sound.why();
  if (header.image_bytes() == 0)
    return bad("is one of no bytes");
  if (header.image_bytes() > max_sparse_image_bytes)
    return bad("is one of " + std::to_string(header.image_bytes())
               + " bytes; at most 2 TiB are allowed");
  return header;
}

} // namespace crosvisor::io
