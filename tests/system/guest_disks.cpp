// SPDX-License-Identifier: Apache-2.0
// What real guests read from their disks and write to them, checked on the host.
#include "crosvisor/tests/judge.hpp"
#include "crosvisor/tests/system/guest_vm.hpp"

#include <caf/test/dsl.hpp>

#include <filesystem>

#undef CAF_SUITE
#define CAF_SUITE guest.disks

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t disk_bytes = 1u << 20;

/// A raw image that begins with `text`.
std::string raw_disk(const temp_dir& dir, const std::string& name, const std::string& text) {
  auto path = dir.write(name, text);
  std::filesystem::resize_file(path, disk_bytes);
  return path;
}

std::string sector(const std::string& text) {
  return text + std::string(512 - text.size(), '\0');
}

/// Runs a guest to its end, which must be a clean one, and returns its console.
std::string run(guest_host& host, guest_plan plan) {
  guest_vm vm{host, std::move(plan)};
  vm.start();
  CAF_CHECK_EQUAL(summary_of(vm.await_death()), "shutdown, code 0");
  return host.kept_log(vm.info(), "console");
}

bool contains(const std::string& text, const std::string& part) {
  if (text.find(part) != text.npos)
    return true;
  CAF_MESSAGE("no \"" << part << "\" in: " << text);
  return false;
}

void qemu_img(const std::string& arguments) {
  auto said = ask("qemu-img " + arguments);
  if (said.exit_code != 0)
    CAF_FAIL("failed: qemu-img " << arguments << ": " << said.out
                                 << "; `./dev setup run` installs it");
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(guest_disks, guest_host)

CAF_TEST(one disk is read and another one written) {
  auto read = raw_disk(scratch(), "read.raw", "what the host wrote");
  auto written = raw_disk(scratch(), "written.raw", "what was there before");
  auto before = read_file(read);
  auto console =
    run(*this,
        guest_plan{"disks", "crosvisor.write=by-the-guest"}.disk(read, false).disk(written, true));
  CAF_CHECK(contains(console, "vda 1 MiB ro, vdb 1 MiB rw"));
  CAF_CHECK(contains(console, "demo: vda text what the host wrote\r\n"));
  CAF_CHECK(contains(console, "demo: vdb text by-the-guest\r\n"));
  CAF_CHECK(read_file(written).substr(0, 512) == sector("by-the-guest"));
  CAF_CHECK_EQUAL(read_file(written).size(), disk_bytes);
  CAF_CHECK(read_file(read) == before);
}

CAF_TEST(a disk that may only be read stays as it is) {
  auto read = raw_disk(scratch(), "vda.raw", "one");
  auto other = raw_disk(scratch(), "vdb.raw", "other");
  auto before = read_file(other);
  auto when = std::filesystem::last_write_time(other);
  auto console =
    run(*this,
        guest_plan{"disks", "crosvisor.write=by-the-guest"}.disk(read, false).disk(other, false));
  CAF_CHECK(contains(console, "vdb 1 MiB ro"));
  CAF_CHECK(contains(console, "demo: vdb can't be written\r\n"));
  CAF_CHECK(read_file(other) == before);
  CAF_CHECK(std::filesystem::last_write_time(other) == when);
}

CAF_TEST(a qcow2 disk keeps what one guest wrote for the next) {
  auto read = raw_disk(scratch(), "vda.raw", "one");
  auto image = scratch() / "disk.qcow2";
  qemu_img("create -f qcow2 " + image + " 64M");
  auto console = run(*this, guest_plan{"disks", "crosvisor.write=by-the-first"}
                              .disk(read, false)
                              .disk(image, true, image_format::qcow2));
  CAF_CHECK(contains(console, "vdb 64 MiB rw"));
  CAF_CHECK(read_file(image).substr(0, 3) == "QFI");
  console = run(*this, guest_plan{"disks"}.disk(image, false, image_format::qcow2));
  CAF_CHECK(contains(console, "vda 64 MiB ro"));
  CAF_CHECK(contains(console, "demo: vda text by-the-first\r\n"));
  qemu_img("convert -f qcow2 -O raw " + image + ' ' + (scratch() / "copy.raw"));
  CAF_CHECK(read_file(scratch() / "copy.raw").substr(0, 512) == sector("by-the-first"));
}

CAF_TEST(a qcow2 image given as raw is not looked into) {
  auto image = scratch() / "disk.qcow2";
  qemu_img("create -f qcow2 " + image + " 64M");
  auto console = run(*this, guest_plan{"disks"}.disk(image, false));
  CAF_CHECK(!contains(console, "vda 64 MiB"));
  CAF_CHECK(contains(console, "demo: vda text QFI"));
}

CAF_TEST(a disk is free again once its guest is dead) {
  auto image = raw_disk(scratch(), "disk.raw", "before");
  for (auto i = 0; i < 2; ++i)
    CAF_CHECK(contains(run(*this, guest_plan{"disks"}.disk(image, true)), "vda text before"));
}

CAF_TEST_FIXTURE_SCOPE_END()
