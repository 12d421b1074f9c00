// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/qcow2.hpp"

#include "crosvisor/io/disk/byte_order.hpp"
#include "crosvisor/messages/image_spec.hpp"
#include "crosvisor/tests/io/disk/whole_disk.hpp"
#include "crosvisor/tests/judge.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.disk.qcow2

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

std::string made(std::uint64_t size) {
  auto image = make_empty_qcow2(size);
  if (!image)
    CAF_FAIL(image.why().what);
  return *image;
}

std::string problem_of(std::uint64_t size) {
  auto image = make_empty_qcow2(size);
  return image ? "" : image.why().what;
}

std::string problems_in(const std::string& image) {
  auto header = read_qcow2_header(bytes_of_text(image), image.size());
  if (!header)
    return header.why().what;
  std::string all;
  for (const auto& problem : header->problems)
    all += (all.empty() ? "" : "; ") + problem;
  return all;
}

template <class T>
std::string problems_with(std::size_t at, T value) {
  auto image = made(10 << 20);
  put_big_endian(image, at, value);
  return problems_in(image);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

} // namespace

CAF_TEST(qemu finds no fault with images of any size) {
  temp_dir dir;
  for (auto size : {std::uint64_t{1}, std::uint64_t{65536}, std::uint64_t{65537},
                    std::uint64_t{10} << 20, gib / 2, gib / 2 + 1, gib, 10 * gib, 1024 * gib,
                    crosvisor::max_partition_bytes, std::uint64_t{2'290'000'000'000}}) {
    auto image = dir.write("image.qcow2", made(size));
    auto checked = ask("qemu-img check -f qcow2 " + image);
    CAF_CHECK_EQUAL(checked.exit_code, 0);
    CAF_CHECK(has(checked.out, "No errors were found on the image."));
    auto info = ask("qemu-img info --output=json -f qcow2 " + image);
    CAF_CHECK_EQUAL(info.exit_code, 0);
    // QEMU counts in whole sectors.
    auto seen = size / 512 * 512;
    CAF_CHECK(has(info.out, "\"virtual-size\": " + std::to_string(seen) + ","));
    CAF_CHECK_EQUAL(problems_in(made(size)), "");
  }
}

CAF_TEST(qemu writes to both ends of an image and finds it sound) {
  temp_dir dir;
  for (auto size : {10 * gib, 2000 * gib}) {
    auto image = dir.write("image.qcow2", made(size));
    auto end = std::to_string(size - 65536);
    auto io = ask("qemu-io -f qcow2 -c 'write -P 7 0 64k' -c 'write -P 9 " + end
                  + " 64k' -c 'read -P 9 " + end + " 64k' -c 'read -P 0 1M 64k' " + image);
    CAF_CHECK_EQUAL(io.exit_code, 0);
    CAF_CHECK(!has(io.out, "failed"));
    CAF_CHECK_EQUAL(ask("qemu-img check -f qcow2 " + image).exit_code, 0);
  }
}

CAF_TEST(the layout is that of crosvm without the leaked cluster) {
  temp_dir dir;
  auto packed = dir.write("ten.gz", golden("qcow2/ten-mib.qcow2.gz"));
  CAF_REQUIRE_EQUAL(ask("gzip -d " + packed).exit_code, 0);
  auto theirs = read_file(dir / "ten");
  auto ours = made(10 << 20);
  CAF_CHECK_EQUAL(theirs.size(), std::size_t{327'680});
  CAF_CHECK_EQUAL(ours.size(), std::size_t{262'144});
  CAF_CHECK(ours.substr(0, 131'072) == theirs.substr(0, 131'072));
  // Crosvm's refcount block is in the cluster behind the one that it leaks.
  CAF_CHECK_EQUAL(big_endian<std::uint64_t>(ours, 131'072), 196'608u);
  CAF_CHECK_EQUAL(big_endian<std::uint64_t>(theirs, 131'072), 262'144u);
  CAF_CHECK_EQUAL(problems_in(theirs), "");
}

CAF_TEST(what crosvm does not take is refused) {
  CAF_CHECK_EQUAL(problem_of(0), "a qcow2 of 0 bytes; it has at least one");
  CAF_CHECK_EQUAL(problem_of(3'000'000'000'000),
                  "a qcow2 of 3000000000000 bytes would have more than 35000000 clusters; crosvm "
                  "takes no more");
  CAF_CHECK_NOT_EQUAL(problem_of(~std::uint64_t{0}), "");
  CAF_CHECK_NOT_EQUAL(problem_of(35'000'000 * std::uint64_t{65536}), "");
}

CAF_TEST(a header is read field by field) {
  auto image = made(10 * gib);
  auto header = read_qcow2_header(bytes_of_text(image), image.size());
  CAF_REQUIRE(static_cast<bool>(header));
  CAF_CHECK_EQUAL(header->version, 3u);
  CAF_CHECK_EQUAL(header->cluster_bits, 16u);
  CAF_CHECK_EQUAL(header->virtual_bytes, 10 * gib);
  CAF_CHECK_EQUAL(header->l1_entries, 20u);
  CAF_CHECK_EQUAL(header->l1_offset, 65536u);
  CAF_CHECK_EQUAL(header->refcount_table_offset, 131'072u);
  CAF_CHECK_EQUAL(header->refcount_table_clusters, 1u);
  CAF_CHECK_EQUAL(header->header_bytes, 104u);
  CAF_CHECK_EQUAL(header->backing_file, "");
  CAF_CHECK(!header->data_file);
}

CAF_TEST(each strange number is told) {
  CAF_CHECK_EQUAL(problems_with(4, 2u), "has version 2, which crosvm doesn't read");
  CAF_CHECK_EQUAL(problems_with(4, 4u), "has version 4; known are 2 and 3");
  CAF_CHECK_EQUAL(problems_with(20, 22u), "has clusters of 2^22 bytes; allowed are 2^9 to 2^21");
  CAF_CHECK_EQUAL(problems_with(20, ~0u),
                  "has clusters of 2^4294967295 bytes; allowed are 2^9 to 2^21");
  CAF_CHECK_EQUAL(problems_with(24, ~std::uint64_t{0}),
                  "claims 18446744073709551615 bytes, more than crosvm takes");
  CAF_CHECK_EQUAL(problems_with(24, gib), "has 1 L1 entries; its size needs 2");
  CAF_CHECK_EQUAL(problems_with(32, 1u), "is encrypted, which crosvm doesn't see");
  CAF_CHECK_EQUAL(problems_with(36, ~0u), "has its L1 table behind the file's end");
  CAF_CHECK_EQUAL(problems_with(40, std::uint64_t{65535}),
                  "has its L1 table at 65535, which is no cluster's beginning");
  CAF_CHECK_EQUAL(problems_with(40, ~std::uint64_t{0} << 16),
                  "has its L1 table behind the file's end");
  CAF_CHECK_EQUAL(problems_with(48, std::uint64_t{262'144}),
                  "has its refcount table behind the file's end");
  CAF_CHECK_EQUAL(problems_with(56, 0u), "has no refcount table");
  CAF_CHECK_EQUAL(problems_with(72, std::uint64_t{2}), "is marked as corrupt");
  CAF_CHECK_EQUAL(problems_with(72, std::uint64_t{4}),
                  "has its data in another file, which is never followed");
  CAF_CHECK_EQUAL(problems_with(72, std::uint64_t{1} << 63),
                  "has incompatible features that nobody knows");
  CAF_CHECK_EQUAL(problems_with(96, 3u),
                  "has refcounts of 2^3 bits; crosvm reads those of 16 alone");
  CAF_CHECK_EQUAL(problems_with(100, 72u), "has a header of 72 bytes; at least 104 are there");
}

CAF_TEST(a backing file is named) {
  auto image = made(10 << 20);
  put_big_endian(image, 8, std::uint64_t{512});
  put_big_endian(image, 16, 11u);
  image.replace(512, 11, "/etc/shadow");
  CAF_CHECK_EQUAL(problems_in(image),
                  "has the backing file \"/etc/shadow\", which is never followed");
  put_big_endian(image, 8, ~std::uint64_t{0});
  CAF_CHECK(has(problems_in(image), "has the backing file \"?\""));
  put_big_endian(image, 8, std::uint64_t{512});
  put_big_endian(image, 16, ~0u);
  CAF_CHECK(has(problems_in(image), "name of 4294967295 bytes"));
}

CAF_TEST(no qcow2 is a failure) {
  CAF_CHECK_EQUAL(problems_in(""), "is no qcow2: it does not begin with QFI and the byte 0xfb");
  CAF_CHECK_EQUAL(problems_in("raw"), "is no qcow2: it does not begin with QFI and the byte 0xfb");
  CAF_CHECK_EQUAL(problems_in(made(1).substr(0, 103)), "is no qcow2: it ends within its header");
  CAF_CHECK_EQUAL(problems_in("QFI\xfb"), "is no qcow2: it ends within its header");
}
