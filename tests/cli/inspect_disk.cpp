// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/byte_order.hpp"
#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/io/disk/composite_files.hpp"
#include "crosvisor/io/disk/qcow2.hpp"
#include "crosvisor/tests/cli/inspect_fixture.hpp"
#include "crosvisor/tests/io/disk/sparse_bytes.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/judge.hpp"

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE cli.inspect_disk

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace crosvisor::tests;

namespace {

struct fixture : inspect_fixture {
  /// Ours, of two partitions, in the test's folder.
  std::string make_composite() const {
    dir.write("boot.img", std::string(5000, 'b'));
    dir.write("data.img", std::string(8192, 'd'));
    auto made =
      io::create_composite_files(dir / "disk.img",
                                 {{"boot", dir / "boot.img", image_format::raw, false, ""},
                                  {"\xc3\xbc", dir / "data.img", image_format::raw, true,
                                   "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"}},
                                 {});
    if (!made)
      CAF_FAIL(made.why().what);
    return dir / "disk.img";
  }

  /// The same as one file.
  std::string whole_disk() const {
    make_composite();
    return read_file(dir / "disk.img.header") + std::string(5000, 'b') + std::string(3192, '\0')
           + std::string(8192, 'd') + read_file(dir / "disk.img.footer");
  }

  std::string composite(const std::vector<io::composite_component>& components,
                        std::uint64_t size) const {
    return io::serialize({2, components, size});
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(inspect_disk_tests, fixture)

CAF_TEST(a composite disk of ours is sound) {
  holdings before;
  auto found = look(make_composite());
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  CAF_CHECK_EQUAL(verdict(found), "composite: ");
  CAF_CHECK_EQUAL(joined(found.remarks), "");
  CAF_CHECK_EQUAL(found.facts["version"], 1);
  CAF_CHECK_EQUAL(found.facts["disk_bytes"], 20480 + 8192 + 8192 + 20480);
  CAF_REQUIRE_EQUAL(found.facts["components"].size(), 5u);
  CAF_CHECK_EQUAL(found.facts["components"][1].dump(),
                  R"({"number":1,"offset":20480,"size_bytes":5000,"writable":false,)"
                  R"("file_offset":0,"available_bytes":5000,"path":")"
                    + (dir / "boot.img") + "\"}");
  CAF_REQUIRE_EQUAL(found.facts["partitions"].size(), 2u);
  CAF_CHECK_EQUAL(found.facts["partitions"][1].dump(),
                  R"({"number":2,"offset":28672,"size_bytes":8192,"writable":true,)"
                  R"("guid":"C12A7328-F81F-11D2-BA4B-00A0C93EC93B",)"
                  R"("type":"0FC63DAF-8483-4772-8E79-3D69D8477DE4","label":")"
                  "\xc3\xbc\"}");
}

CAF_TEST(a composite disk of crosvm has a remark and no problem) {
  auto found = look(copy("composite") + "/disk.img");
  CAF_CHECK_EQUAL(verdict(found), "composite: ");
  CAF_CHECK_EQUAL(joined(found.remarks), "the backup header points to the primary table, not to a "
                                         "copy of its own, as crosvm writes it");
  CAF_CHECK_EQUAL(found.facts["version"], 2);
  CAF_CHECK_EQUAL(found.facts["components"].size(), 7u);
  CAF_REQUIRE_EQUAL(found.facts["partitions"].size(), 3u);
  CAF_CHECK_EQUAL(found.facts["partitions"][0]["label"], "boot");
  CAF_CHECK_EQUAL(found.facts["partitions"][0]["writable"], false);
  CAF_CHECK_EQUAL(found.facts["partitions"][2]["label"], "instance");
  CAF_CHECK_EQUAL(found.facts["partitions"][2]["writable"], true);
}

CAF_TEST(every component that is missing or short is told) {
  auto path = make_composite();
  std::filesystem::remove(dir / "boot.img");
  std::filesystem::resize_file(dir / "data.img", 8191);
  auto found = look(path);
  CAF_CHECK_EQUAL(verdict(found), "composite: component 1 \"" + (dir / "boot.img")
                                    + "\": no such file; component 3 \"" + (dir / "data.img")
                                    + "\": has 8191 bytes; the disk takes 8192 from 0 on");
  CAF_CHECK_EQUAL(joined(found.remarks),
                  "its partitions are not shown, since not all components can be read");
  CAF_CHECK(found.facts["components"][1]["available_bytes"].is_null());
  CAF_CHECK_EQUAL(found.facts["components"][3]["available_bytes"], 8191);
  CAF_CHECK(!found.facts.contains("partitions"));
}

CAF_TEST(a component may begin within its file and may be a sparse image) {
  dir.write("part.img", std::string(4096, 'p'));
  dir.write("sparse.img", small_sparse_image());
  auto sparse_bytes = small_sparse_disk().size();
  auto bytes = [&](std::uint64_t from, std::uint64_t more) {
    return verdict_of(
      composite({{"part.img", 0, from, true}, {"sparse.img", 4096 - from, 0, false}},
                4096 - from + sparse_bytes + more));
  };
  CAF_CHECK_EQUAL(bytes(4000, 0), "composite: the disk has no GPT: it is too small");
  CAF_CHECK_EQUAL(bytes(4000, 1), "composite: component 1 \"sparse.img\": has 64 bytes; the disk "
                                  "takes 65 from 0 on");
  CAF_CHECK_EQUAL(bytes(4095, 0), "composite: the disk has no GPT: it is too small");
  auto behind = verdict_of(composite({{"part.img", 0, 5000, false}}, 10));
  CAF_CHECK_EQUAL(behind, "composite: component 0 \"part.img\": has 4096 bytes; the disk takes 10 "
                          "from 5000 on");
}

CAF_TEST(what is no file is never opened as a component) {
  ::mkfifo((dir / "fifo").c_str(), 0600);
  for (std::string path : {"fifo", ".", "/dev/null"})
    CAF_CHECK_EQUAL(verdict_of(composite({{path, 0, 0, false}}, 4096)),
                    "composite: component 0 \"" + path
                      + "\": is neither a regular file nor a block device");
  dir.write("q.img", *io::make_empty_qcow2(4096));
  CAF_CHECK(has(verdict_of(composite({{"q.img", 0, 0, false}}, 4096)),
                "composite: the disk can't be put together: "));
}

CAF_TEST(damage within a composite disk is told) {
  auto path = make_composite();
  auto header = read_file(dir / "disk.img.header");
  header[1024 + 56] ^= 1;
  dir.write("disk.img.header", header);
  CAF_CHECK_EQUAL(verdict(look(path)), "composite: the primary table has a wrong checksum");
  auto description = read_file(path);
  CAF_CHECK_EQUAL(verdict_of(description.substr(0, 40)),
                  "composite: composite disk: is damaged: no protobuf message CompositeDisk");
  CAF_CHECK_EQUAL(verdict_of("composite_disk\x1d"),
                  "composite: composite disk: has no component at its beginning");
  CAF_CHECK(has(verdict_of("composite_disk\x1d" + std::string(5u << 20, 'x')),
                "composite: composite disk: has more than "));
}

CAF_TEST(a GPT is shown and checked) {
  auto disk = whole_disk();
  auto found = look_at(disk);
  CAF_CHECK_EQUAL(verdict(found), "gpt: ");
  CAF_REQUIRE_EQUAL(found.facts["partitions"].size(), 2u);
  CAF_CHECK(!found.facts["partitions"][0].contains("writable"));
  CAF_CHECK_EQUAL(found.facts["partitions"][1]["offset"], 28672);
  auto damaged = disk;
  damaged[1024 + 56] ^= 1;
  CAF_CHECK_EQUAL(verdict_of(damaged), "gpt: the primary table has a wrong checksum");
  damaged = disk.substr(0, disk.size() - 512);
  CAF_CHECK(has(verdict_of(damaged), "the backup header is missing"));
  CAF_CHECK(has(verdict_of(disk + "x"), "bytes, no whole sectors of 512"));
}

CAF_TEST(a GPT is known by its backup) {
  auto disk = whole_disk();
  disk.replace(512, 512, std::string(512, '\0'));
  auto found = look_at(disk);
  CAF_CHECK_EQUAL(verdict(found), "gpt: the primary header is missing");
  CAF_CHECK_EQUAL(found.facts["partitions"].size(), 2u);
  disk[510] = 0;
  CAF_CHECK_EQUAL(verdict_of(disk), "raw: ");
}

CAF_TEST(places of partitions that no disk has are left out) {
  auto disk = whole_disk();
  for (auto at : {32u, 40u})
    disk.replace(1024 + at, 8, std::string(8, '\xff'));
  disk.resize(disk.size() - 512); // Of the backup, which would be taken instead.
  auto found = look_at(disk);
  CAF_CHECK_EQUAL(found.format, "gpt");
  CAF_CHECK(!found.problems.empty());
  CAF_CHECK(found.facts["partitions"][0]["offset"].is_null());
  CAF_CHECK(found.facts["partitions"][0]["size_bytes"].is_null());
  CAF_CHECK_EQUAL(found.facts["partitions"][1]["offset"], 28672);
}

CAF_TEST(a qcow2 is shown and checked) {
  auto image = *io::make_empty_qcow2(10 << 20);
  auto found = look_at(image);
  CAF_CHECK_EQUAL(verdict(found), "qcow2: ");
  CAF_CHECK_EQUAL(found.facts.dump(),
                  R"({"version":3,"virtual_bytes":10485760,"cluster_bytes":65536,"snapshots":0,)"
                  R"("encrypted":false,"external_data_file":false,"backing_file":null})");
  auto two = image;
  io::put_big_endian(two, 4, std::uint32_t{2});
  CAF_CHECK(has(verdict_of(two), "qcow2: has version 2, which crosvm doesn't read"));
  CAF_CHECK(has(verdict_of(image.substr(0, 1000)), "has its L1 table behind the file's end"));
  CAF_CHECK_EQUAL(verdict_of(image.substr(0, 20)), "qcow2: is no qcow2: it ends within its header");
  io::put_big_endian(image, 20, std::uint32_t{99});
  CAF_CHECK(look_at(image).facts["cluster_bytes"].is_null());
}

CAF_TEST(a backing file is named as a risk) {
  auto image = *io::make_empty_qcow2(10 << 20);
  std::string name = "/etc/sha\x1b[2Jdow";
  io::put_big_endian(image, 8, std::uint64_t{200});
  io::put_big_endian(image, 16, static_cast<std::uint32_t>(name.size()));
  image.replace(200, name.size(), name);
  auto found = look_at(image);
  CAF_CHECK_EQUAL(verdict(found),
                  R"(qcow2: has the backing file "/etc/sha\x1b[2Jdow", which is never followed)");
  CAF_CHECK(has(joined(found.remarks), "crosvisor refuses such an image"));
  CAF_CHECK_EQUAL(found.facts["backing_file"], name);
}

CAF_TEST(a qcow2 of crosvm is sound) {
  auto packed = copy("qcow2") + "/ten-mib.qcow2.gz";
  auto unpacked = dir / "ten-mib.qcow2";
  CAF_REQUIRE_EQUAL(ask("gzip -dc '" + packed + "' >'" + unpacked + "'").exit_code, 0);
  auto found = look(unpacked);
  CAF_CHECK_EQUAL(verdict(found), "qcow2: ");
  CAF_CHECK_EQUAL(found.facts["virtual_bytes"], 10 << 20);
}

CAF_TEST(a sparse image is shown and checked) {
  auto image = small_sparse_image();
  auto found = look_at(image);
  CAF_CHECK_EQUAL(verdict(found), "sparse: ");
  CAF_CHECK_EQUAL(found.facts.dump(), R"({"version":"1.0","image_bytes":64,"block_bytes":8,)"
                                      R"("blocks":8,"chunks":6,"zero_bytes":32})");
  CAF_CHECK(has(verdict_of(image.substr(0, image.size() - 1)), "sparse: sparse image: chunk 5 "));
  CAF_CHECK(has(verdict_of(image.substr(0, 20)), "sparse: "));
  CAF_CHECK_EQUAL(verdict_of(sparse_head(8, 8, 0)),
                  "sparse: sparse image: has chunks of 0 blocks, and says that it has 8");
}

CAF_TEST_FIXTURE_SCOPE_END()
