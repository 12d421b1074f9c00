// SPDX-License-Identifier: Apache-2.0
// The plugin with NBD's own clients as judges: nbdinfo, nbdcopy, qemu-io.
#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/tests/io/disk/memory_file.hpp"
#include "crosvisor/tests/io/disk/sparse_bytes.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"
#include "served_disk.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE nbdkit.plugin

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::string_literals;

namespace {

// Of the disk that crosvm made, as it says of it itself.
constexpr auto golden_sha256 = "a1b00e0f22237eed9248488739e0241b52a74a38828cbfb27d8127ab105ba1d9";
constexpr std::uint64_t instance_at = 20480 + 4096 + 303'104;

constexpr auto digest = "nbdcopy \"$uri\" - | sha256sum";

// A copy of crosvm's disk that a test may write; its paths are relative, its version 2.
struct golden_copy {
  temp_dir dir;
  golden_copy() {
    for (auto& entry : std::filesystem::directory_iterator{GOLDEN_COMPOSITE})
      dir.write(entry.path().filename(), read_file(entry.path()));
  }
  std::string disk() const { return dir / "disk.img"; }
  // Every file but the one that may change, and crosvm's own name for the disk.
  bool others_are_untouched() const {
    for (auto& entry : std::filesystem::directory_iterator{GOLDEN_COMPOSITE}) {
      auto name = entry.path().filename().string();
      if (name != "instance.img" && read_file(dir / name) != read_file(entry.path()))
        return false;
    }
    return true;
  }
};

std::string qemu_io(const std::string& command) {
  return "qemu-io -f raw -c \"" + command + "\" \"$uri\"";
}

std::string at(std::uint64_t offset) {
  return std::to_string(offset) + " 4096";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

} // namespace

CAF_TEST(the disk that crosvm made is served byte for byte) {
  for (auto options : {"-r ", "-r sparse=none file=", ""}) {
    golden_copy copy;
    auto end = with_nbdkit(options + copy.disk(), digest);
    CAF_CHECK_EQUAL(end.exit_code, 0);
    CAF_CHECK_EQUAL(end.out, golden_sha256 + "  -\n"s);
    CAF_CHECK(copy.others_are_untouched());
  }
}

CAF_TEST(what the disk can do is told) {
  golden_copy copy;
  auto info = with_nbdkit(copy.disk(), "nbdinfo \"$uri\"").out;
  for (auto line : {"export-size: 413696", "is_read_only: false", "can_flush: true",
                    "can_trim: true", "can_zero: true", "can_fua: true", "can_multi_conn: true",
                    "block_size_minimum: 1", "block_size_preferred: 4096", "base:allocation"})
    CAF_CHECK(has(info, line));
  CAF_CHECK(has(with_nbdkit("-r " + copy.disk(), "nbdinfo \"$uri\"").out, "is_read_only: true"));
  auto help = ask("nbdkit " NBDKIT_PLUGIN " --help").out;
  CAF_CHECK(has(help, "[file=]FILE"));
  CAF_CHECK(has(help, "sparse=auto|none|N,N,..."));
  CAF_CHECK(has(ask("nbdkit " NBDKIT_PLUGIN " --dump-plugin").out, "composite_newest_version=2\n"));
}

CAF_TEST(writes reach the file of the writable partition) {
  golden_copy copy;
  auto end = with_nbdkit(copy.disk(), qemu_io("write -P 0x5a " + at(instance_at)) + " && "
                                        + qemu_io("read -P 0x5a " + at(instance_at)));
  CAF_CHECK_EQUAL(end.exit_code, 0);
  CAF_CHECK(!has(end.out, "fail"));
  auto written = read_file(copy.dir / "instance.img");
  auto before = read_file(GOLDEN_COMPOSITE "/instance.img");
  CAF_CHECK(written == std::string(4096, '\x5a') + before.substr(4096));
  CAF_CHECK(copy.others_are_untouched());
}

CAF_TEST(writes to what is read only are refused and change nothing) {
  golden_copy copy;
  // Header, first partition, over the edge into the writable one and out of it, footer.
  for (std::uint64_t where : {std::uint64_t{0}, std::uint64_t{20480}, instance_at - 2048,
                              instance_at + 63488, instance_at + 65536}) {
    for (auto command : {"write -P 0x5a ", "write -z ", "write -z -u ", "discard "}) {
      auto end = with_nbdkit(copy.disk(), qemu_io(command + at(where)));
      CAF_CHECK(has(end.out, "Operation not permitted"));
      CAF_CHECK(has(end.out, ", offset "));
      CAF_CHECK(has(end.out, "is read-only"));
    }
  }
  CAF_CHECK(read_file(copy.dir / "instance.img") == read_file(GOLDEN_COMPOSITE "/instance.img"));
  CAF_CHECK(copy.others_are_untouched());
}

CAF_TEST(with - r nothing is written) {
  golden_copy copy;
  auto end = with_nbdkit("-r " + copy.disk(), qemu_io("write -P 0x5a " + at(instance_at)));
  CAF_CHECK(end.exit_code != 0);
  CAF_CHECK(read_file(copy.dir / "instance.img") == read_file(GOLDEN_COMPOSITE "/instance.img"));
}

CAF_TEST(zeros and trims reach the file and are seen) {
  for (auto command : {"write -z ", "write -z -u ", "discard "}) {
    golden_copy copy;
    copy.dir.write("instance.img", std::string(65536, 'i'));
    auto end = with_nbdkit(copy.disk(), qemu_io(command + at(instance_at + 8192)) + " && "
                                          + qemu_io("flush") + " && nbdinfo --map \"$uri\"");
    CAF_CHECK_EQUAL(end.exit_code, 0);
    CAF_CHECK(read_file(copy.dir / "instance.img")
              == std::string(8192, 'i') + std::string(4096, '\0') + std::string(53248, 'i'));
    if (command != "write -z "s)
      CAF_CHECK(has(end.out, "hole,zero"));
  }
}

CAF_TEST(descriptors are inherited under the numbers that the disk names) {
  memory_file first{std::string(8192, 'a')};
  memory_file second{std::string(4096, 'b')};
  memory_file disk{
    io::serialize({1, {{first.path(), 0, 0, false}, {second.path(), 8192, 0, true}}, 12288})};
  auto end = with_nbdkit("sparse=none " + disk.path(), qemu_io("write -P 0x63 8192 512")
                                                         + " && nbdcopy \"$uri\" - | tail -c 5000");
  CAF_CHECK_EQUAL(end.exit_code, 0);
  CAF_CHECK(has(end.out, std::string(904, 'a') + std::string(512, 'c') + std::string(3584, 'b')));
  CAF_CHECK_EQUAL(second.content(), std::string(512, 'c') + std::string(3584, 'b'));
  CAF_CHECK(first.content() == std::string(8192, 'a'));
}

CAF_TEST(sparse images are served as disks) {
  memory_file sparse{small_sparse_image()};
  memory_file disk{io::serialize({1, {{sparse.path(), 0, 0, false}}, 64})};
  for (const auto& choice : {"auto"s, std::to_string(sparse.fd())}) {
    auto end = with_nbdkit("sparse=" + choice + " " + disk.path(), "nbdcopy \"$uri\" -");
    CAF_CHECK(end.out == small_sparse_disk());
    end = with_nbdkit("sparse=" + choice + " " + disk.path(), "nbdinfo --map \"$uri\"");
    CAF_CHECK(has(end.out, "hole,zero"));
  }
  auto end = with_nbdkit("sparse=none " + disk.path(), "nbdcopy \"$uri\" -");
  CAF_CHECK(end.out == small_sparse_image().substr(0, 64));
}

CAF_TEST(a component that is too short gives an error that names it) {
  memory_file file{std::string(100, 'a')};
  memory_file disk{io::serialize({1, {{file.path(), 0, 0, false}}, 4096})};
  auto end = with_nbdkit(disk.path(), "qemu-io -r -f raw -c \"read 0 4096\" \"$uri\"");
  CAF_CHECK(has(end.out, "Input/output error"));
  CAF_CHECK(has(end.out, "component 0"));
  CAF_CHECK(has(end.out, "the file ends at 100"));
}

CAF_TEST(many requests at once keep to their places) {
  temp_dir dir;
  std::string content;
  for (int i = 0; content.size() < (4u << 20); ++i)
    content += std::to_string(i) + ' ';
  content.resize(4u << 20);
  auto half = content.size() / 2;
  dir.write("first", content.substr(0, half));
  dir.write("second", std::string(half, '?'));
  auto disk = dir.write(
    "disk", io::serialize({2, {{"first", 0, 0, true}, {"second", half, 0, true}}, content.size()}));
  auto source = dir.write("source", content.substr(half) + content.substr(0, half));
  auto end = with_nbdkit(disk, "nbdcopy --connections=4 --requests=16 --flush " + source
                                 + " \"$uri\" && nbdcopy \"$uri\" - | cmp - " + source);
  CAF_CHECK_EQUAL(end.exit_code, 0);
  CAF_CHECK_EQUAL(end.out, "");
  CAF_CHECK(read_file(dir / "first") == content.substr(half));
  CAF_CHECK(read_file(dir / "second") == content.substr(0, half));
}

CAF_TEST(what can not be served is told before anybody connects) {
  temp_dir dir;
  auto none = dir.write("none", "raw bytes");
  auto broken = dir.write("broken", io::serialize({2, {{"missing", 0, 0, false}}, 4}));
  auto of = [](const std::string& options) { return with_nbdkit(options, "echo connected"); };
  for (auto [options, why] :
       {std::pair{""s, "no composite disk is named"s},
        {"/nowhere", "can't be opened"},
        {none, "does not begin with composite_disk"},
        {broken, "component 0 \"missing\": can't be opened: No such file"},
        {"sparse=7, " + none, "is none of auto, none, and descriptors"},
        {"sparse=some " + none, "is none of auto"},
        {"colour=red " + none, "unknown parameter colour; known are file and sparse"}}) {
    auto end = of(options);
    CAF_CHECK(end.exit_code != 0);
    CAF_CHECK(has(end.out, why));
    CAF_CHECK(!has(end.out, "connected"));
  }
}
