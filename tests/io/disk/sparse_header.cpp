// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/sparse_header.hpp"

#include "crosvisor/io/disk/byte_order.hpp"

#include <caf/test/dsl.hpp>

#include <string>

#undef CAF_SUITE
#define CAF_SUITE io.disk.sparse_header

using namespace crosvisor::io;

namespace {

/// What img2simg writes for 3 blocks of 4096 bytes in 2 chunks.
std::string good() {
  std::string bytes(sparse_header_bytes, '\0');
  put_little_endian(bytes, 0, sparse_magic);
  put_little_endian(bytes, 4, std::uint16_t{1});
  put_little_endian(bytes, 8, std::uint16_t{28});
  put_little_endian(bytes, 10, std::uint16_t{12});
  put_little_endian(bytes, 12, std::uint32_t{4096});
  put_little_endian(bytes, 16, std::uint32_t{3});
  put_little_endian(bytes, 20, std::uint32_t{2});
  return bytes;
}

template <class T>
std::string problem_with(std::size_t at, T value) {
  auto bytes = good();
  put_little_endian(bytes, at, value);
  auto header = parse_sparse_header(bytes);
  return header ? "" : header.why().what;
}

} // namespace

CAF_TEST(every field is read) {
  auto bytes = good();
  put_little_endian(bytes, 6, std::uint16_t{7});
  put_little_endian(bytes, 24, std::uint32_t{0x12345678});
  auto header = parse_sparse_header(bytes + "chunks");
  CAF_REQUIRE(static_cast<bool>(header));
  CAF_CHECK_EQUAL(header->major_version, 1);
  CAF_CHECK_EQUAL(header->minor_version, 7);
  CAF_CHECK_EQUAL(header->header_bytes, 28);
  CAF_CHECK_EQUAL(header->chunk_header_bytes, 12);
  CAF_CHECK_EQUAL(header->block_bytes, 4096u);
  CAF_CHECK_EQUAL(header->blocks, 3u);
  CAF_CHECK_EQUAL(header->chunks, 2u);
  CAF_CHECK_EQUAL(header->image_crc, 0x12345678u);
  CAF_CHECK_EQUAL(header->image_bytes(), 12288u);
}

CAF_TEST(what no reader takes is refused) {
  CAF_CHECK_EQUAL(problem_with(0, std::uint32_t{1}),
                  "sparse image: does not begin with the bytes 3a ff 26 ed");
  CAF_CHECK_EQUAL(problem_with(4, std::uint16_t{2}), "sparse image: has version 2.0; known is 1");
  CAF_CHECK_EQUAL(problem_with(8, std::uint16_t{27}),
                  "sparse image: its header claims 27 bytes; it has at least 28");
  CAF_CHECK_EQUAL(problem_with(10, std::uint16_t{11}),
                  "sparse image: its chunks' headers claim 11 bytes; they have at least 12");
  CAF_CHECK_EQUAL(problem_with(12, std::uint32_t{0}),
                  "sparse image: its blocks have 0 bytes; allowed are multiples of 4");
  CAF_CHECK_EQUAL(problem_with(12, std::uint32_t{4094}),
                  "sparse image: its blocks have 4094 bytes; allowed are multiples of 4");
  CAF_CHECK_EQUAL(problem_with(16, std::uint32_t{0}), "sparse image: is one of no bytes");
  CAF_CHECK_EQUAL(problem_with(16, std::uint32_t{0xffffffff}),
                  "sparse image: is one of 17592186040320 bytes; at most 2 TiB are allowed");
  CAF_CHECK_EQUAL(problem_with(8, std::uint16_t{64}), "");
}

CAF_TEST(a header cut short is refused) {
  for (std::size_t size = 0; size < sparse_header_bytes; ++size)
    CAF_CHECK(!parse_sparse_header(good().substr(0, size)));
  auto cut = parse_sparse_header(good().substr(0, 27));
  CAF_CHECK_EQUAL(cut.why().what, "sparse image: ends within its header");
}
