// SPDX-License-Identifier: Apache-2.0
// What no composite disk is built from, each with its sentence.
#include "crosvisor/tests/io/disk/disk_fixture.hpp"

#undef CAF_SUITE
#define CAF_SUITE io.disk.composite_refusals

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

CAF_TEST_FIXTURE_SCOPE(composite_refusals_tests, disk_fixture)

CAF_TEST(descriptors must be there and open as the partition needs) {
  auto path = dir.write("a.img", std::string(4096, 'a'));
  auto opened = [&](int flags) {
    files.emplace_back(::open(path.c_str(), flags | O_CLOEXEC));
    return files.back().get();
  };
  CAF_CHECK_EQUAL(problem_of(-1, false), "partitions[0]: came without a descriptor");
  CAF_CHECK_EQUAL(problem_of(123'456, false), "partitions[0]: came without a descriptor");
  CAF_CHECK_EQUAL(problem_of(opened(O_WRONLY), false), "partitions[0]: is not open for reading");
  CAF_CHECK_EQUAL(problem_of(opened(O_PATH), false), "partitions[0]: is not open for reading");
  CAF_CHECK_EQUAL(problem_of(opened(O_RDONLY), true), "partitions[0]: is not open for writing");
  CAF_CHECK_EQUAL(problem_of(opened(O_RDWR | O_APPEND), true),
                  "partitions[0]: is open for appending");
  CAF_CHECK_EQUAL(problem_of(opened(O_RDWR | O_APPEND), false), "");
  CAF_CHECK_EQUAL(problem_of(opened(O_RDONLY), false), "");
}

CAF_TEST(a partition is a file or a block device) {
  files.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
  CAF_CHECK_EQUAL(problem_of(files.back().get(), true),
                  "partitions[0]: is neither a file nor a block device");
  files.emplace_back(::open("/tmp", O_RDONLY | O_CLOEXEC));
  CAF_CHECK_EQUAL(problem_of(files.back().get(), false),
                  "partitions[0]: is neither a file nor a block device");
}

CAF_TEST(images of another format are refused) {
  auto with = [&](const std::string& content, image_format format) {
    partitions.clear();
    add("a", content).format = format;
    return problem();
  };
  CAF_CHECK_EQUAL(with("QFI\xfb", image_format::raw),
                  "partitions[0]: stated as raw, but its first bytes are those of qcow2; a "
                  "partition is raw or sparse");
  CAF_CHECK_EQUAL(with("composite_disk\x1d", image_format::raw),
                  "partitions[0]: stated as raw, but its first bytes are those of a crosvm "
                  "composite disk; a partition is raw or sparse");
  CAF_CHECK_EQUAL(with("QFI\xfb", image_format::qcow2),
                  "partitions[0]: stated as qcow2; a partition is raw or sparse");
  CAF_CHECK_EQUAL(with("raw", image_format::sparse),
                  "partitions[0]: sparse image: does not begin with the bytes 3a ff 26 ed");
}

CAF_TEST(counts and sizes have limits) {
  CAF_CHECK_EQUAL(problem(), "the disk has no partitions; it needs one");
  add("empty", "");
  CAF_CHECK_EQUAL(problem(), "partitions[0]: has no bytes; a partition has at least one");
  partitions.clear();
  add("w", std::string(4097, 'w'), true);
  CAF_CHECK_EQUAL(problem(), "partitions[0]: has 4097 bytes; a writable partition's size is a "
                             "multiple of 4096");
  partitions.clear();
  files.push_back(memory_image("x"));
  for (auto i = 0; i < 129; ++i)
    add("p" + std::to_string(i), files.back().get());
  CAF_CHECK_EQUAL(problem(), "the disk has 129 partitions; at most 128 are allowed");
  partitions.pop_back();
  CAF_CHECK_EQUAL(problem(), "");
}

CAF_TEST(a disk has less than 2 TiB) {
  constexpr off_t tib = off_t{1} << 40;
  add_holes("a", tib);
  add_holes("b", tib - 2 * 20480 - 4096);
  CAF_CHECK_EQUAL(problem(), "");
  partitions.pop_back();
  add_holes("b", tib - 2 * 20480);
  CAF_CHECK_EQUAL(problem(), "partitions[1]: does not fit; the disk would have more than 2 TiB");
}

CAF_TEST(labels and GUIDs are each of one partition) {
  add("a", "a");
  add("a", "b");
  CAF_CHECK_EQUAL(problem(), "partitions[1]: its label \"a\" is that of partitions[0], too");
  partitions[1].label = std::string(37, 'x');
  CAF_CHECK_EQUAL(problem(), "partitions[1]: its label is 37 UTF-16 units long; at most 36 are "
                             "allowed");
  partitions[1].label = "";
  CAF_CHECK_EQUAL(problem(), "partitions[1]: its label is missing; a partition needs a label");
  partitions[1].label = "a\xff";
  CAF_CHECK_EQUAL(problem(), "partitions[1]: its label is not printable UTF-8 text");
  partitions[1].label = "b";
  partitions[0].guid = some_guid;
  partitions[1].guid = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
  CAF_CHECK_EQUAL(problem(),
                  "partitions[1]: its GUID " + some_guid + " is that of partitions[0], too");
  partitions[1].guid = "{" + some_guid + "}";
  CAF_CHECK_EQUAL(problem(), "partitions[1]: its GUID is none, such as " + some_guid);
}

CAF_TEST(a file that is written is given once) {
  auto path = dir.write("a.img", std::string(4096, 'a'));
  files.emplace_back(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  files.emplace_back(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  add("a", files[0].get());
  add("b", files[1].get());
  CAF_CHECK_EQUAL(problem(), "");
  partitions[1].writable = true;
  CAF_CHECK_EQUAL(problem(),
                  "partitions[1]: is the same file as partitions[0], and one of them is writable");
}

CAF_TEST_FIXTURE_SCOPE_END()
