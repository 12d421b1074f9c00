// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/sparse_image.hpp"

#include "memory_file.hpp"
#include "sparse_bytes.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.disk.sparse_image

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

std::string read(const sparse_image& image, std::size_t count, std::uint64_t offset) {
  std::string text(count, '?');
  auto done = image.read(text, offset);
  return done ? text : "failed with " + std::to_string(done.why().code);
}

// Why an image is refused, always as its own fault.
std::string refusal(const std::string& bytes) {
  memory_file file{bytes};
  auto image = sparse_image::open(file.fd());
  if (image)
    return "";
  CAF_CHECK_EQUAL(image.why().code, 0);
  return image.why().what;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

} // namespace

CAF_TEST(an image reads as the disk that it stands for) {
  memory_file file{small_sparse_image()};
  auto image = sparse_image::open(file.fd());
  CAF_REQUIRE(image);
  CAF_CHECK_EQUAL(image->size_bytes(), std::uint64_t{64});
  CAF_CHECK_EQUAL(read(*image, 64, 0), small_sparse_disk());
}

CAF_TEST(any piece of it is the same piece of the disk) {
  memory_file file{small_sparse_image()};
  auto image = sparse_image::open(file.fd());
  CAF_REQUIRE(image);
  auto whole = small_sparse_disk();
  auto wrong = 0;
  for (std::size_t at = 0; at <= whole.size(); ++at)
    for (std::size_t count = 0; at + count <= whole.size(); ++count)
      wrong += read(*image, count, at) != whole.substr(at, count);
  CAF_CHECK_EQUAL(wrong, 0);
}

CAF_TEST(beyond the end there is an error and nothing else) {
  memory_file file{small_sparse_image()};
  auto image = sparse_image::open(file.fd());
  CAF_REQUIRE(image);
  auto eio = "failed with " + std::to_string(EIO);
  CAF_CHECK_EQUAL(read(*image, 1, 64), eio);
  CAF_CHECK_EQUAL(read(*image, 2, 63), eio);
  CAF_CHECK_EQUAL(read(*image, 1, ~std::uint64_t{0}), eio);
  CAF_CHECK_EQUAL(image->extent_at(64).bytes, std::uint64_t{0});
}

CAF_TEST(what takes no room is told) {
  memory_file file{small_sparse_image()};
  auto image = sparse_image::open(file.fd());
  CAF_REQUIRE(image);
  CAF_CHECK_EQUAL(image->extent_at(0).bytes, std::uint64_t{16});
  CAF_CHECK(!image->extent_at(0).zero);
  CAF_CHECK(!image->extent_at(16).zero);
  // Nothing and zeros are one.
  CAF_CHECK_EQUAL(image->extent_at(25).bytes, std::uint64_t{31});
  CAF_CHECK(image->extent_at(25).zero);
  CAF_CHECK_EQUAL(image->extent_at(63).bytes, std::uint64_t{1});
}

CAF_TEST(chunks without blocks stand for nothing) {
  memory_file file{sparse_head(4, 1, 3) + sparse_chunk(raw_chunk, 0)
                   + sparse_chunk(raw_chunk, 1, "data") + sparse_chunk(dont_care_chunk, 0)};
  auto image = sparse_image::open(file.fd());
  CAF_REQUIRE(image);
  CAF_CHECK_EQUAL(read(*image, 4, 0), "data");
}

CAF_TEST(longer headers are passed over) {
  auto bytes = "\x3a\xff\x26\xed" + le(1, 2) + le(9, 2) + le(30, 2) + le(14, 2) + le(4, 4)
               + le(1, 4) + le(1, 4) + le(0, 4) + "??" + le(raw_chunk, 2) + le(0, 2) + le(1, 4)
               + le(18, 4) + "??" + "data";
  memory_file file{bytes};
  auto image = sparse_image::open(file.fd());
  CAF_REQUIRE(image);
  CAF_CHECK_EQUAL(read(*image, 4, 0), "data");
}

CAF_TEST(a header that is none is refused) {
  // All that a header can have is in io.disk.sparse_header.
  CAF_CHECK(has(refusal(""), "does not begin with"));
  CAF_CHECK(has(refusal(small_sparse_image().substr(0, 27)), "ends within its header"));
  CAF_CHECK(has(refusal(sparse_head(6, 1, 0)), "multiples of 4"));
}

CAF_TEST(chunks that the file has not are refused) {
  auto whole = small_sparse_image();
  auto taken = 0;
  for (std::size_t size = 28; size < whole.size(); ++size)
    taken += refusal(whole.substr(0, size)).empty();
  CAF_CHECK_EQUAL(taken, 0);
  CAF_CHECK(
    has(refusal(sparse_head(4, 1, 1) + le(raw_chunk, 2) + le(0, 2) + le(1, 4) + le(0xffffffff, 4)),
        "which the file has not"));
  CAF_CHECK(
    has(refusal(sparse_head(4, 1, 1) + le(dont_care_chunk, 2) + le(0, 2) + le(1, 4) + le(0, 4)),
        "which the file has not"));
}

CAF_TEST(chunks that contradict themselves or the header are refused) {
  CAF_CHECK(has(refusal(sparse_head(4, 2, 1) + sparse_chunk(raw_chunk, 2, "data")),
                "4 bytes of data for 2 blocks"));
  CAF_CHECK(
    has(refusal(sparse_head(4, 1, 1) + sparse_chunk(fill_chunk, 1, "longer")), "6 bytes of data"));
  CAF_CHECK(has(refusal(sparse_head(4, 1, 1) + sparse_chunk(dont_care_chunk, 1, "data")),
                "4 bytes of data"));
  CAF_CHECK(
    has(refusal(sparse_head(4, 1, 1) + sparse_chunk(crc32_chunk, 1, "sum!")), "for 1 blocks"));
  CAF_CHECK(has(refusal(sparse_head(4, 1, 1) + sparse_chunk(0xcac5, 1)), "unknown type 51909"));
  CAF_CHECK(has(refusal(sparse_head(4, 2, 1) + sparse_chunk(dont_care_chunk, 1)),
                "chunks of 1 blocks, and says that it has 2"));
  CAF_CHECK(has(refusal(sparse_head(4, 2, 2) + sparse_chunk(dont_care_chunk, 1)
                        + sparse_chunk(dont_care_chunk, 0xffffffff)),
                "chunk 1 ends behind"));
}

CAF_TEST(a count of chunks takes no memory before it is found too large) {
  CAF_CHECK(has(refusal(sparse_head(4, 1, 0xffffffff)), "at most 1048576"));
}

CAF_TEST(the largest disk is read) {
  memory_file file{sparse_head(4096, 1u << 29, 1) + sparse_chunk(dont_care_chunk, 1u << 29)};
  auto image = sparse_image::open(file.fd());
  CAF_REQUIRE(image);
  CAF_CHECK_EQUAL(image->size_bytes(), std::uint64_t{1} << 41);
  CAF_CHECK_EQUAL(read(*image, 2, image->size_bytes() - 2), std::string(2, '\0'));
}

CAF_TEST(a file that shrinks later is an error) {
  memory_file file{small_sparse_image()};
  auto image = sparse_image::open(file.fd());
  CAF_REQUIRE(image);
  CAF_REQUIRE_EQUAL(::ftruncate(file.fd(), 45), 0);
  CAF_CHECK_EQUAL(read(*image, 8, 0), "failed with " + std::to_string(EIO));
}

CAF_TEST(what is no file is refused) {
  io::unique_fd directory{::open("/", O_RDONLY | O_CLOEXEC)};
  auto image = sparse_image::open(directory.get());
  CAF_REQUIRE(!image);
  CAF_CHECK_EQUAL(image.why().what, "sparse image: is neither a file nor a block device");
}
