// SPDX-License-Identifier: Apache-2.0
// Our disks beside the one that crosvm made of the same partitions.
#include "crosvisor/io/disk/byte_order.hpp"
#include "crosvisor/io/disk/composite_layout.hpp"
#include "crosvisor/tests/io/disk/whole_disk.hpp"
#include "crosvisor/tests/judge.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.disk.composite_golden

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr std::size_t secondary_header = 20480 - 512;

composite_file golden_file() {
  auto file = parse_composite_file(golden("composite/disk.img"));
  if (!file)
    CAF_FAIL(file.why().what);
  return *file;
}

std::string golden_disk() {
  return assemble(golden_file(),
                  [](const std::string& path) { return golden("composite/" + path); });
}

guid guid_at(const std::string& bytes, std::size_t at) {
  guid stored;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 16, stored.bytes.begin());
  return mixed_endian(stored);
}

/// Our layout of crosvm's partitions, with the GUIDs that crosvm drew.
gpt_layout ours() {
  auto header = golden("composite/disk.img.header");
  std::vector<gpt_partition> partitions;
  for (auto [label, size] : {std::pair{"boot", 100}, {"super", 300000}, {"instance", 65536}}) {
    auto entry = 1024 + 128 * partitions.size();
    partitions.push_back(
      {label, static_cast<std::uint64_t>(size), false, guid_at(header, entry + 16), label});
  }
  partitions[2].writable = true;
  auto layout = lay_out_gpt(partitions, guid_at(header, 512 + 56));
  if (!layout)
    CAF_FAIL(layout.why().what);
  return *layout;
}

} // namespace

CAF_TEST(the golden disk is the one that its README tells of) {
  temp_dir dir;
  auto said = ask("sha256sum < " + dir.write("disk", golden_disk()));
  CAF_CHECK_EQUAL(said.exit_code, 0);
  CAF_CHECK_EQUAL(said.out.substr(0, 64),
                  "a1b00e0f22237eed9248488739e0241b52a74a38828cbfb27d8127ab105ba1d9");
}

CAF_TEST(with the same GUIDs our header is byte for byte that of crosvm) {
  CAF_CHECK(ours().header == golden("composite/disk.img.header"));
}

CAF_TEST(our footer differs in where the secondary header finds its entries) {
  auto footer = ours().footer;
  auto theirs = golden("composite/disk.img.footer");
  CAF_REQUIRE_EQUAL(footer.size(), theirs.size());
  auto at = secondary_header + 72;
  CAF_CHECK_EQUAL(little_endian<std::uint64_t>(theirs, at), 2u);
  CAF_CHECK_EQUAL(little_endian<std::uint64_t>(footer, at), (413'696u - 16'896) / 512);
  // That, and the checksum over it.
  put_little_endian(footer, at, std::uint64_t{2});
  put_little_endian(footer, secondary_header + 16, std::uint32_t{0});
  auto sum = crc32(footer.substr(secondary_header, 92));
  put_little_endian(footer, secondary_header + 16, sum);
  CAF_CHECK(footer == theirs);
}

CAF_TEST(our description differs in version and names alone) {
  composite_plan plan;
  plan.layout = ours();
  for (auto size : {100, 300000, 65536})
    plan.partitions.push_back({"", static_cast<std::uint64_t>(size), size == 65536, {}, ""});
  auto file = describe_composite(plan, {"disk.img.header",
                                        "disk.img.footer",
                                        "disk.img.filler",
                                        {"boot.img", "super.img", "instance.img"}});
  CAF_CHECK_EQUAL(file.version, 1u);
  file.version = golden_file().version;
  CAF_CHECK(serialize(file) == golden("composite/disk.img"));
}
