// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/composite_disk.hpp"

#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/tests/io/disk/disk_fixture.hpp"
#include "crosvisor/tests/judge.hpp"

#include <algorithm>
#include <chrono>

#undef CAF_SUITE
#define CAF_SUITE io.disk.composite_disk

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

int mode_of(int fd) {
  return ::fcntl(fd, F_GETFL) & O_ACCMODE;
}

composite_file description_of(const composite_disk& disk) {
  auto file = parse_composite_file(bytes_of(disk.descriptor.get()));
  CAF_REQUIRE(static_cast<bool>(file));
  return *file;
}

std::string whole(const composite_disk& disk) {
  return assemble(description_of(disk), [](const std::string& path) {
    CAF_REQUIRE(path.starts_with("/proc/self/fd/"));
    return bytes_of(std::stoi(path.substr(14)));
  });
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(composite_disk_tests, disk_fixture)

CAF_TEST(components are header and images with fillers and footer) {
  add("boot", std::string(100, 'b'));
  add("super", std::string(8192, 's'));
  add("instance", std::string(4096, 'i'), true);
  auto disk = built();
  auto file = description_of(disk);
  CAF_CHECK_EQUAL(file.version, 1u);
  CAF_CHECK_EQUAL(file.size_bytes, disk.size_bytes);
  CAF_CHECK_EQUAL(disk.size_bytes, 2u * 20480 + 4096 + 8192 + 4096);
  CAF_REQUIRE_EQUAL(file.components.size(), 6u);
  std::vector<std::uint64_t> offsets;
  std::string writable;
  for (const auto& component : file.components) {
    offsets.push_back(component.offset);
    writable += component.writable ? 'w' : 'r';
  }
  std::vector<std::uint64_t> expected{0, 20480, 20580, 24576, 32768, 36864};
  CAF_CHECK(offsets == expected);
  CAF_CHECK_EQUAL(writable, "rrrrwr");
  CAF_CHECK_EQUAL(file.components[4].path, "/proc/self/fd/" + std::to_string(files[2].get()));
}

CAF_TEST(the disk has each partition in its place) {
  add("a", "first");
  add("b", std::string(4097, 'b'));
  auto bytes = whole(built());
  CAF_CHECK_EQUAL(bytes.size(), std::size_t{2 * 20480 + 4096 + 8192});
  CAF_CHECK_EQUAL(bytes.substr(20480, 4096), "first" + std::string(4091, '\0'));
  CAF_CHECK_EQUAL(bytes.substr(24576, 8192), std::string(4097, 'b') + std::string(4095, '\0'));
}

CAF_TEST(each descriptor is named once and closed in children) {
  add("a", "a");
  add("b", std::string(4096, 'b'));
  auto same = add("c", partitions[0].fd);
  auto disk = built();
  CAF_CHECK(std::is_sorted(disk.components.begin(), disk.components.end()));
  CAF_CHECK(std::adjacent_find(disk.components.begin(), disk.components.end())
            == disk.components.end());
  std::vector<int> named;
  for (const auto& component : description_of(disk).components)
    named.push_back(std::stoi(component.path.substr(14)));
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  CAF_CHECK(named == disk.components);
  named.push_back(disk.descriptor.get());
  for (auto fd : named) {
    CAF_CHECK_GREATER(fd, 2);
    CAF_CHECK_EQUAL(::fcntl(fd, F_GETFD), FD_CLOEXEC);
  }
  for (const auto& fd : disk.owned)
    CAF_CHECK(std::binary_search(disk.components.begin(), disk.components.end(), fd.get()));
}

CAF_TEST(what the guest may not write is open for reading alone) {
  add("ro", std::string(100, 'r'));
  add("rw", std::string(4096, 'w'), true);
  auto disk = built();
  CAF_CHECK_EQUAL(mode_of(disk.descriptor.get()), O_RDONLY);
  for (const auto& component : description_of(disk).components) {
    auto fd = std::stoi(component.path.substr(14));
    CAF_CHECK_EQUAL(mode_of(fd), component.writable ? O_RDWR : O_RDONLY);
  }
  // Header, footer, filler and the partition that was open for writing.
  CAF_CHECK_EQUAL(disk.owned.size(), 4u);
  CAF_CHECK_EQUAL(mode_of(files[0].get()), O_RDWR);
}

CAF_TEST(a read only descriptor is used as it is) {
  auto path = dir.write("a.img", "a");
  files.emplace_back(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  add("a", files.back().get());
  auto disk = built();
  CAF_CHECK_EQUAL(disk.owned.size(), 3u);
  CAF_CHECK(std::binary_search(disk.components.begin(), disk.components.end(), files.back().get()));
}

CAF_TEST(memory files can not be changed) {
  auto image = dir.write("a.img", "a");
  files.emplace_back(::open(image.c_str(), O_RDONLY | O_CLOEXEC));
  add("a", files.back().get());
  auto disk = built();
  constexpr int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  CAF_CHECK_EQUAL(disk.owned.size(), 3u);
  for (const auto& fd : disk.owned) {
    auto path = "/proc/self/fd/" + std::to_string(fd.get());
    CAF_CHECK_EQUAL(::fcntl(fd.get(), F_GET_SEALS) & seals, seals);
    unique_fd again{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
    CAF_CHECK(!again || ::pwrite(again.get(), "x", 1, 0) < 0);
    CAF_CHECK(!again || ::ftruncate(again.get(), 0) < 0);
  }
  CAF_CHECK_EQUAL(::fcntl(disk.descriptor.get(), F_GET_SEALS) & seals, seals);
}

CAF_TEST(descriptors that a child would not have are duplicated) {
  add("a", std::string(4096, 'a'), true);
  // One that all children inherit, until it is told that they must not.
  CAF_REQUIRE_EQUAL(::fcntl(files[0].get(), F_SETFD, 0), 0);
  auto disk = built();
  auto named = std::stoi(description_of(disk).components[1].path.substr(14));
  CAF_CHECK_NOT_EQUAL(named, files[0].get());
  CAF_CHECK_EQUAL(::fcntl(named, F_GETFD), FD_CLOEXEC);
  CAF_CHECK_EQUAL(mode_of(named), O_RDWR);
  // A number that its standard input takes.
  unique_fd input{::fcntl(0, F_DUPFD_CLOEXEC, 3)};
  CAF_REQUIRE_EQUAL(::dup2(files[0].get(), 0), 0);
  partitions[0].fd = 0;
  auto second = built();
  CAF_CHECK_GREATER(second.components.front(), 2);
  if (input)
    CAF_CHECK_EQUAL(::dup2(input.get(), 0), 0);
  else
    ::close(0);
}

CAF_TEST(memory files keep out of the numbers of the standard streams) {
  add("a", "a");
  unique_fd input{::fcntl(0, F_DUPFD_CLOEXEC, 3)};
  ::close(0);
  auto disk = build_composite_disk(partitions, control);
  if (input)
    ::dup2(input.get(), 0);
  CAF_REQUIRE(static_cast<bool>(disk));
  CAF_CHECK_GREATER(disk->components.front(), 2);
  CAF_CHECK_GREATER(disk->descriptor.get(), 2);
}

CAF_TEST(a sparse image has the size that its header states) {
  std::string header{"\x3a\xff\x26\xed\x01\x00\x00\x00\x1c\x00\x0c\x00\x00\x10\x00\x00", 16};
  header += std::string{"\x03\0\0\0\0\0\0\0\0\0\0\0", 12};
  add("super", header).format = image_format::sparse;
  auto disk = built();
  CAF_CHECK_EQUAL(disk.size_bytes, 2u * 20480 + 3 * 4096);
  CAF_REQUIRE_EQUAL(disk.sparse.size(), 1u);
  CAF_CHECK(std::binary_search(disk.components.begin(), disk.components.end(), disk.sparse[0]));
  CAF_CHECK_EQUAL(mode_of(disk.sparse[0]), O_RDONLY);
  partitions[0].writable = true;
  CAF_CHECK_EQUAL(problem(), "partitions[0]: a sparse image can't be written; make it raw, or the "
                             "partition read-only");
}

CAF_TEST(GUIDs are those that were given and else random) {
  add("a", "a").guid = some_guid;
  add("b", "b");
  auto first = whole(built());
  auto second = whole(built());
  auto unique_id = [](const std::string& disk, std::size_t i) {
    return disk.substr(1024 + 128 * i + 16, 16);
  };
  CAF_CHECK_EQUAL(unique_id(first, 0), unique_id(second, 0));
  CAF_CHECK_NOT_EQUAL(unique_id(first, 1), unique_id(second, 1));
  CAF_CHECK_NOT_EQUAL(first.substr(512 + 56, 16), second.substr(512 + 56, 16));
}

CAF_TEST(sgdisk and sfdisk and protoc read the same disk) {
  add("boot", std::string(100, 'b')).guid = some_guid;
  add("\xc3\xbc"
      "ber",
      std::string(12288, 'u'), true);
  auto disk = built();
  auto image = dir.write("whole.img", whole(disk));
  auto sgdisk = ask("sgdisk -v " + image);
  CAF_CHECK_EQUAL(sgdisk.exit_code, 0);
  CAF_CHECK(sgdisk.out.find("No problems found") != std::string::npos);
  auto sfdisk = ask("sfdisk --json " + image);
  CAF_CHECK_EQUAL(sfdisk.exit_code, 0);
  for (auto part :
       {R"("label": "gpt")", R"("start": 40,)", R"("size": 8,)",
        R"("type": "0FC63DAF-8483-4772-8E79-3D69D8477DE4")", R"("name": "boot")",
        R"("uuid": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B")", R"("start": 48,)", R"("size": 24,)"})
    CAF_CHECK(sfdisk.out.find(part) != std::string::npos);
  auto listed = ask("sfdisk -l " + image);
  CAF_CHECK_EQUAL(listed.exit_code, 0);
  CAF_CHECK(listed.out.find("corrupt") == std::string::npos);
  auto message = dir.write("message", bytes_of(disk.descriptor.get()).substr(15));
  auto protoc = ask("protoc --proto_path=" CROSVISOR_TEST_ROOT
                    " --decode=crosvisor.io.wire.CompositeDisk io/disk/composite.proto < "
                    + message);
  CAF_CHECK_EQUAL(protoc.exit_code, 0);
  CAF_CHECK(protoc.out.starts_with("version: 1\n"));
  CAF_CHECK(protoc.out.find("length: 57344\n") != std::string::npos);
  CAF_CHECK(protoc.out.find("read_write_capability: READ_WRITE\n") != std::string::npos);
}

CAF_TEST(a damaged primary table is recovered from the secondary one) {
  add("boot", std::string(100, 'b')).guid = some_guid;
  auto bytes = whole(built());
  // Header and entries of the primary table.
  std::fill_n(bytes.begin() + 512, 20480 - 512, '\0');
  auto sgdisk = ask("printf 'r\\nb\\nw\\ny\\n' | gdisk " + dir.write("broken.img", bytes));
  CAF_CHECK_EQUAL(sgdisk.exit_code, 0);
  auto verified = ask("sgdisk -v -p " + dir / "broken.img");
  CAF_CHECK(verified.out.find("No problems found") != std::string::npos);
  CAF_CHECK(verified.out.find(" boot") != std::string::npos);
}

CAF_TEST(a cancelled job ends with nothing) {
  add("a", "a");
  control.cancel();
  auto disk = build_composite_disk(partitions, control);
  CAF_REQUIRE(!disk);
  CAF_CHECK_EQUAL(disk.why().code, ECANCELED);
}

CAF_TEST(out of descriptors at any step nothing stays open) {
  add("a", "a");
  add("b", "b");
  holdings before;
  auto failed = 0;
  for (rlim_t more = 0; more < 20; ++more) {
    std::string what;
    auto code = 0;
    {
      descriptor_limit limit{more};
      auto disk = build_composite_disk(partitions, control);
      if (disk)
        break;
      what = disk.why().what;
      code = disk.why().code;
    }
    ++failed;
    CAF_CHECK_EQUAL(code, EMFILE);
    CAF_CHECK_NOT_EQUAL(what, "");
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }
  CAF_CHECK_EQUAL(failed, 7);
}

CAF_TEST(five partitions take about a millisecond at most) {
  for (auto label : {"a", "b", "c", "d", "e"})
    add(label, label);
  auto best = std::chrono::nanoseconds::max();
  for (auto i = 0; i < 20; ++i) {
    auto begin = std::chrono::steady_clock::now();
    auto disk = built();
    best = std::min(best, std::chrono::nanoseconds{std::chrono::steady_clock::now() - begin});
  }
  CAF_MESSAGE("built in " << best.count() / 1000 << " microseconds");
  // Ten times what is asked for: this build is neither optimised nor alone.
  CAF_CHECK_LESS(best.count(), 10'000'000);
}

CAF_TEST_FIXTURE_SCOPE_END()
