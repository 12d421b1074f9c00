// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/composite_reader.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"
#include "memory_file.hpp"
#include "sparse_bytes.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.disk.composite_reader

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::string_literals;

namespace {

constexpr std::size_t golden_bytes = 413'696;

std::string golden(const std::string& name) {
  return GOLDEN_COMPOSITE + "/"s + name;
}

// What crosvm's disk is by the layout of its components.
std::string assembled_golden() {
  auto filler = read_file(golden("disk.img.filler"));
  auto part = [&](const char* name) {
    auto bytes = read_file(golden(name));
    return bytes + filler.substr(0, (4096 - bytes.size() % 4096) % 4096);
  };
  return read_file(golden("disk.img.header")) + part("boot.img") + part("super.img")
         + part("instance.img") + read_file(golden("disk.img.footer"));
}

// Three components: `first`, read-only, `second`, which can be written, and `third`.
struct three_part_disk {
  memory_file first{std::string(4096, 'a')};
  memory_file second{std::string(8192, 'b')};
  memory_file third{std::string(4096, 'c')};
  memory_file disk{serialize(
    {1,
     {{first.path(), 0, 0, false}, {second.path(), 4096, 0, true}, {third.path(), 12288, 0, false}},
     16384})};
};

composite_options writable() {
  return {true, std::vector<int>{}};
}

std::string read(const composite_reader& disk, std::size_t count, std::uint64_t offset) {
  std::string text(count, '?');
  auto done = disk.read(text, offset);
  return done ? text : done.why().what;
}

int code(const result<void>& done) {
  return done ? 0 : done.why().code;
}

std::string refusal(const std::string& path, const composite_options& options = {}) {
  auto disk = composite_reader::open(path, options);
  return disk ? "" : disk.why().what;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

std::string extents_of(const composite_reader& disk) {
  std::string text;
  auto done = disk.extents(disk.size_bytes(), 0, [&](const auto& one) {
    text += std::to_string(one.offset) + "+" + std::to_string(one.bytes) + (one.hole ? "h " : " ");
    return true;
  });
  return done ? text : done.why().what;
}

} // namespace

CAF_TEST(the disk that crosvm made reads as it was put together) {
  auto disk = composite_reader::open(golden("disk.img"), {});
  CAF_REQUIRE(disk);
  CAF_CHECK_EQUAL(disk->size_bytes(), std::uint64_t{golden_bytes});
  CAF_CHECK(!disk->writable());
  auto whole = assembled_golden();
  CAF_REQUIRE_EQUAL(whole.size(), golden_bytes);
  CAF_CHECK(read(*disk, golden_bytes, 0) == whole);
  auto wrong = 0;
  for (std::size_t at = 0; at < golden_bytes; at += 1009)
    wrong +=
      read(*disk, std::min<std::size_t>(5000, golden_bytes - at), at) != whole.substr(at, 5000);
  CAF_CHECK_EQUAL(wrong, 0);
}

CAF_TEST(writes reach the file of their component alone) {
  three_part_disk parts;
  auto disk = composite_reader::open(parts.disk.path(), writable());
  CAF_REQUIRE(disk);
  CAF_CHECK(disk->writable());
  CAF_CHECK_EQUAL(code(disk->write("XYZ", 4096)), 0);
  CAF_CHECK_EQUAL(code(disk->write("end", 12285)), 0);
  CAF_CHECK_EQUAL(code(disk->flush()), 0);
  auto content = parts.second.content();
  CAF_CHECK_EQUAL(content.size(), std::size_t{8192});
  CAF_CHECK_EQUAL(content.substr(0, 4), "XYZb");
  CAF_CHECK_EQUAL(content.substr(8188), "bend");
  CAF_CHECK_EQUAL(read(*disk, 8, 4092), "aaaaXYZb");
}

CAF_TEST(what can not be written stays as it is) {
  three_part_disk parts;
  auto disk = composite_reader::open(parts.disk.path(), writable());
  CAF_REQUIRE(disk);
  CAF_CHECK_EQUAL(code(disk->write("x", 0)), EPERM);
  CAF_CHECK_EQUAL(code(disk->write("x", 16383)), EPERM);
  // Over both kinds, in either order: nothing is written.
  CAF_CHECK_EQUAL(code(disk->write("xx", 4095)), EPERM);
  CAF_CHECK_EQUAL(code(disk->write("xx", 12287)), EPERM);
  CAF_CHECK_EQUAL(code(disk->zero(8194, 4095, true)), EPERM);
  CAF_CHECK_EQUAL(code(disk->trim(16384, 0)), EPERM);
  CAF_CHECK(parts.first.content() == std::string(4096, 'a'));
  CAF_CHECK(parts.second.content() == std::string(8192, 'b'));
  CAF_CHECK(parts.third.content() == std::string(4096, 'c'));
}

CAF_TEST(a disk that was not opened for writing has nothing to write) {
  three_part_disk parts;
  auto disk = composite_reader::open(parts.disk.path(), {});
  CAF_REQUIRE(disk);
  CAF_CHECK(!disk->writable());
  auto done = disk->write("x", 5000);
  CAF_CHECK_EQUAL(code(done), EPERM);
  CAF_CHECK(has(done.why().what, "component 1 "));
  CAF_CHECK(has(done.why().what, "offset 5000: is read-only"));
}

CAF_TEST(zeros and trims leave zeros) {
  for (auto may_trim : {false, true}) {
    three_part_disk parts;
    auto disk = composite_reader::open(parts.disk.path(), writable());
    CAF_REQUIRE(disk);
    CAF_CHECK_EQUAL(code(disk->zero(4000, 4100, may_trim)), 0);
    CAF_CHECK_EQUAL(code(disk->zero(0, 4100, may_trim)), 0);
    CAF_CHECK(parts.second.content() == "bbbb" + std::string(4000, '\0') + std::string(4188, 'b'));
    CAF_CHECK_EQUAL(code(disk->trim(4096, 8192)), 0);
    CAF_CHECK(parts.second.content()
              == "bbbb" + std::string(4000, '\0') + std::string(92, 'b') + std::string(4096, '\0'));
    CAF_CHECK_EQUAL(extents_of(*disk), "0+4096 4096+4096 8192+4096h 12288+4096 ");
  }
}

CAF_TEST(beyond the end there is an error) {
  three_part_disk parts;
  auto disk = composite_reader::open(parts.disk.path(), writable());
  CAF_REQUIRE(disk);
  std::string byte(1, '?');
  CAF_CHECK_EQUAL(code(disk->read(byte, 16384)), EINVAL);
  CAF_CHECK_EQUAL(code(disk->read(byte, ~std::uint64_t{0})), EINVAL);
  CAF_CHECK_EQUAL(code(disk->write("xx", 16383)), EINVAL);
  CAF_CHECK_EQUAL(code(disk->read({}, 16384)), 0);
}

CAF_TEST(a component whose file is too short gives errors and no other data) {
  memory_file file{std::string(100, 'a')};
  memory_file next{std::string(4096, 'b')};
  memory_file made{serialize({1, {{file.path(), 0, 0, true}, {next.path(), 4096, 0, true}}, 8192})};
  auto disk = composite_reader::open(made.path(), writable());
  CAF_REQUIRE(disk);
  CAF_CHECK_EQUAL(read(*disk, 100, 0), std::string(100, 'a'));
  CAF_CHECK_EQUAL(read(*disk, 2, 4096), "bb");
  std::string text(200, '?');
  auto done = disk->read(text, 0);
  CAF_CHECK_EQUAL(code(done), EIO);
  CAF_CHECK(has(done.why().what, "component 0 "));
  CAF_CHECK(has(done.why().what, "the file ends at 100"));
  // Nor does it grow.
  CAF_CHECK_EQUAL(code(disk->write("xx", 99)), EIO);
  CAF_CHECK_EQUAL(code(disk->zero(2, 99, true)), EIO);
  CAF_CHECK_EQUAL(code(disk->trim(4096, 0)), EIO);
  CAF_CHECK(file.content() == std::string(100, 'a'));
  // What can't be read is no hole.
  CAF_CHECK_EQUAL(extents_of(*disk), "0+100 100+3996 4096+4096 ");
}

CAF_TEST(components begin where their file has them) {
  memory_file file{"..abcdef"};
  memory_file made{serialize({2, {{file.path(), 0, 2, true}, {file.path(), 4, 4, false}}, 8})};
  auto disk = composite_reader::open(made.path(), writable());
  CAF_REQUIRE(disk);
  CAF_CHECK_EQUAL(read(*disk, 8, 0), "abcdcdef");
  CAF_CHECK_EQUAL(code(disk->write("X", 0)), 0);
  CAF_CHECK_EQUAL(file.content(), "..Xbcdef");
  memory_file high{serialize({2, {{file.path(), 0, ~std::uint64_t{0}, false}}, 8})};
  CAF_CHECK(has(refusal(high.path()), "which no file reaches"));
}

CAF_TEST(relative paths are those of the folder of the disk) {
  temp_dir dir;
  dir.write("part", "data");
  auto path = dir.write("disk", serialize({2, {{"part", 0, 0, true}}, 4}));
  auto disk = composite_reader::open(path, writable());
  CAF_REQUIRE(disk);
  CAF_CHECK_EQUAL(read(*disk, 4, 0), "data");
  CAF_CHECK_EQUAL(code(disk->write("D", 0)), 0);
  CAF_CHECK_EQUAL(read_file(dir / "part"), "Data");
}

CAF_TEST(a file is opened for writing only where it is to be written) {
  temp_dir dir;
  auto part = dir.write("part", "data");
  auto path = dir.write("disk", serialize({1, {{part, 0, 0, true}}, 4}));
  three_part_disk parts;
  for (auto [disk_writable, expected] : {std::pair{false, O_RDONLY}, {true, O_RDWR}}) {
    auto disk = composite_reader::open(path, {disk_writable, {}});
    CAF_REQUIRE(disk);
    auto found = -1;
    for (auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
      std::error_code gone;
      if (std::filesystem::read_symlink(entry.path(), gone) == part)
        found = std::stoi(entry.path().filename());
    }
    CAF_REQUIRE(found >= 0);
    CAF_CHECK_EQUAL(::fcntl(found, F_GETFL) & O_ACCMODE, expected);
    CAF_CHECK_EQUAL(::fcntl(found, F_GETFD), FD_CLOEXEC);
  }
}

CAF_TEST(an inherited descriptor must be one and open for its use) {
  three_part_disk parts;
  auto with = [&](int fd, bool is_writable) {
    memory_file made{
      serialize({1, {{"/proc/self/fd/" + std::to_string(fd), 0, 0, is_writable}}, 4096})};
    return refusal(made.path(), writable());
  };
  auto read_only = parts.first.reopen(O_RDONLY);
  CAF_CHECK_EQUAL(with(read_only.get(), false), "");
  CAF_CHECK(has(with(read_only.get(), true), "open for reading alone"));
  auto write_only = parts.first.reopen(O_WRONLY);
  CAF_CHECK(has(with(write_only.get(), false), "not open for reading"));
  auto appending = parts.first.reopen(O_RDWR | O_APPEND);
  CAF_CHECK(has(with(appending.get(), true), "open for appending"));
  auto path_alone = parts.first.reopen(O_PATH);
  CAF_CHECK(has(with(path_alone.get(), false), "not open for reading"));
  auto own = parts.first.reopen(O_RDONLY | O_CLOEXEC);
  CAF_CHECK(has(with(own.get(), false), "is not inherited"));
  CAF_CHECK(has(with(1'000'000, false), "is not inherited"));
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe(ends), 0);
  io::unique_fd in{ends[0]}, out{ends[1]};
  CAF_CHECK(has(with(in.get(), false), "neither a file nor a block device"));
}

CAF_TEST(paths of descriptors are told from others) {
  CAF_CHECK(inherited_descriptor("/proc/self/fd/17") == 17);
  for (auto path : {"/proc/self/fd/", "/proc/self/fd/-1", "/proc/self/fd/1x", "/proc/self/fd/1/",
                    "/proc/1/fd/1", "proc/self/fd/1", "/proc/self/fd/99999999999999"})
    CAF_CHECK(!inherited_descriptor(path));
}

CAF_TEST(what is no file is refused without waiting for it) {
  temp_dir dir;
  CAF_REQUIRE_EQUAL(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  for (auto name : {"fifo", "."}) {
    auto path = dir.write("disk", serialize({1, {{name, 0, 0, false}}, 4}));
    CAF_CHECK(has(refusal(path), "neither a file nor a block device"));
  }
  auto path = dir.write("disk", serialize({1, {{"missing", 0, 0, false}}, 4}));
  CAF_CHECK(has(refusal(path), "component 0 \"missing\": can't be opened: No such file"));
  CAF_CHECK(has(refusal(dir / "nothing"), "can't be opened"));
  CAF_CHECK(has(refusal(dir.path()), "neither"));
  CAF_CHECK(has(refusal(dir / "fifo"), "neither"));
}

CAF_TEST(sparse images are found where that is asked for) {
  memory_file sparse{small_sparse_image()};
  memory_file made{serialize({1, {{sparse.path(), 0, 0, false}}, 64})};
  auto probed = composite_reader::open(made.path(), {});
  CAF_REQUIRE(probed);
  CAF_CHECK_EQUAL(read(*probed, 64, 0), small_sparse_disk());
  CAF_CHECK_EQUAL(extents_of(*probed), "0+16 16+8 24+32h 56+8 ");
  auto stated = composite_reader::open(made.path(), {false, std::vector<int>{sparse.fd()}});
  CAF_REQUIRE(stated);
  CAF_CHECK_EQUAL(read(*stated, 64, 0), small_sparse_disk());
  auto raw = composite_reader::open(made.path(), {false, std::vector<int>{}});
  CAF_REQUIRE(raw);
  CAF_CHECK_EQUAL(read(*raw, 64, 0), small_sparse_image().substr(0, 64));
}

CAF_TEST(a sparse image must fit its place) {
  memory_file sparse{small_sparse_image()};
  memory_file large{serialize({1, {{sparse.path(), 0, 0, false}}, 65})};
  auto disk = composite_reader::open(large.path(), {});
  CAF_REQUIRE(disk);
  std::string byte(1, '?');
  CAF_CHECK_EQUAL(code(disk->read(byte, 64)), EIO);
  CAF_CHECK_EQUAL(extents_of(*disk), "0+16 16+8 24+32h 56+8 64+1 ");
  memory_file written{serialize({1, {{sparse.path(), 0, 0, true}}, 64})};
  CAF_CHECK(has(refusal(written.path()), "can't be written"));
  CAF_CHECK(
    has(refusal(written.path(), {true, std::vector<int>{sparse.fd()}}), "can't be written"));
  memory_file within{serialize({2, {{sparse.path(), 0, 4, false}}, 60})};
  CAF_CHECK(
    has(refusal(within.path(), {false, std::vector<int>{sparse.fd()}}), "can't begin within"));
  memory_file none{"no image, long enough for a header"};
  memory_file stated{serialize({1, {{none.path(), 0, 0, false}}, 4})};
  CAF_CHECK(
    has(refusal(stated.path(), {false, std::vector<int>{none.fd()}}), "does not begin with"));
}

CAF_TEST(other formats inside are refused by name) {
  for (auto [magic, name] : {std::pair{"QFI\xfb"s, "is qcow2"},
                             {"composite_disk\x1d"s, "is a crosvm composite disk"},
                             {"\x28\xb5\x2f\xfd"s, "is zstd"}}) {
    memory_file inside{magic + std::string(100, '\0')};
    memory_file made{serialize({1, {{inside.path(), 0, 0, false}}, 64})};
    CAF_CHECK(has(refusal(made.path()), name));
    CAF_CHECK(has(refusal(made.path(), {false, std::vector<int>{}}), name));
    // A guest has written that. Where its format was stated, it is data.
    memory_file written{serialize({1, {{inside.path(), 0, 0, true}}, 64})};
    CAF_CHECK(has(refusal(written.path()), name));
    CAF_CHECK_EQUAL(refusal(written.path(), {true, std::vector<int>{}}), "");
  }
}

CAF_TEST(a file that is no composite disk is refused) {
  memory_file empty{""};
  CAF_CHECK(has(refusal(empty.path()), "does not begin with composite_disk"));
  memory_file damaged{"composite_disk\x1d\xff\xff"s};
  CAF_CHECK(has(refusal(damaged.path()), "is damaged"));
  memory_file large{"composite_disk\x1d"s};
  CAF_REQUIRE_EQUAL(::ftruncate(large.fd(), off_t{1} << 40), 0);
  CAF_CHECK(has(refusal(large.path()), "more than 4194304 bytes"));
  memory_file huge{serialize({1, {{large.path(), 0, 0, false}}, ~std::uint64_t{0}})};
  CAF_CHECK(has(refusal(huge.path()), "more than a disk can have"));
}

CAF_TEST(nothing stays open after a refusal) {
  auto count = [] {
    auto all = std::filesystem::directory_iterator{"/proc/self/fd"};
    return std::distance(begin(all), end(all));
  };
  memory_file good{"data"};
  memory_file made{serialize({1, {{good.path(), 0, 0, false}, {"/nowhere/x", 2, 0, false}}, 4})};
  auto before = count();
  CAF_CHECK(has(refusal(made.path()), "component 1 \"/nowhere/x\""));
  CAF_CHECK_EQUAL(count(), before);
}
