// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/open_vm_files.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#undef CAF_SUITE
#define CAF_SUITE io.config.open_vm_files

using namespace crosvisor;
using namespace crosvisor::io;

namespace {

/// A folder with a kernel and two disks.
struct fixture {
  fixture() {
    std::string pattern = std::filesystem::temp_directory_path() / "crosvisor-test-XXXXXX";
    folder = std::filesystem::canonical(::mkdtemp(pattern.data()));
    for (auto name : {"vmlinux", "a.img", "b.img"})
      std::ofstream{folder / name} << name;
    ::mkfifo((folder / "fifo").c_str(), 0600);
    config.kernel.path = "vmlinux";
  }

  ~fixture() { std::filesystem::remove_all(folder); }

  void add_disk(const std::string& path, bool writable) {
    config.disks.push_back({{path, 0}, image_format::raw, writable, {}});
  }

  std::string problem() {
    auto files = open_vm_files(config, folder);
    return files ? "" : files.why().what;
  }

  std::string problem_of_kernel(const std::string& path) {
    config.kernel.path = path;
    return problem();
  }

  static std::string content(int fd) {
    char buffer[64];
    auto n = ::pread(fd, buffer, sizeof buffer, 0);
    return {buffer, static_cast<std::size_t>(n < 0 ? 0 : n)};
  }

  std::filesystem::path folder;
  vm_config config;
};

std::size_t open_descriptors() {
  std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(open_vm_files_tests, fixture)

CAF_TEST(each file is found by its index and has its mode) {
  add_disk("a.img", false);
  add_disk((folder / "b.img").string(), true);
  auto files = open_vm_files(config, folder);
  CAF_REQUIRE(static_cast<bool>(files));
  auto& set = **files;
  CAF_CHECK_EQUAL(set.size(), 3u);
  CAF_CHECK_EQUAL(content(set.get(config.kernel.index)), "vmlinux");
  CAF_CHECK_EQUAL(content(set.get(config.disks[0].image.index)), "a.img");
  CAF_CHECK_EQUAL(content(set.get(config.disks[1].image.index)), "b.img");
  auto status_flags = [&](std::uint32_t index) {
    return ::fcntl(set.get(index), F_GETFL) & (O_ACCMODE | O_NONBLOCK);
  };
  CAF_CHECK_EQUAL(status_flags(config.kernel.index), O_RDONLY);
  CAF_CHECK_EQUAL(status_flags(config.disks[0].image.index), O_RDONLY);
  CAF_CHECK_EQUAL(status_flags(config.disks[1].image.index), O_RDWR);
  CAF_CHECK_EQUAL(::fcntl(set.get(config.kernel.index), F_GETFD), FD_CLOEXEC);
}

CAF_TEST(partitions are open as they are used) {
  config.disks.push_back({{},
                          image_format::raw,
                          true,
                          {{"a", {"a.img"}, image_format::raw, false, ""},
                           {"b", {"b.img"}, image_format::raw, true, ""}}});
  auto files = open_vm_files(config, folder);
  CAF_REQUIRE(static_cast<bool>(files));
  CAF_CHECK_EQUAL((*files)->size(), 3u);
  auto& partitions = config.disks[0].partitions;
  auto fd = [&](std::size_t i) { return (*files)->get(partitions[i].image.index); };
  CAF_CHECK_EQUAL(content(fd(0)), "a.img");
  CAF_CHECK_EQUAL(content(fd(1)), "b.img");
  CAF_CHECK_EQUAL(::fcntl(fd(0), F_GETFL) & O_ACCMODE, O_RDONLY);
  CAF_CHECK_EQUAL(::fcntl(fd(1), F_GETFL) & O_ACCMODE, O_RDWR);
  partitions[1].image.path = "c.img";
  CAF_CHECK_EQUAL(problem(),
                  "disks[0].partitions[1] \"c.img\": no such file in " + folder.string());
}

CAF_TEST(the files of an app are open as it uses them) {
  config = {};
  config.app.apk.path = "vmlinux";
  config.app.idsig.path = "vmlinux";
  config.app.instance.path = "a.img";
  config.app.encrypted_storage.path = "b.img";
  config.app.extra_apks = {{{"a.img"}, {"b.img"}}};
  auto files = open_vm_files(config, folder);
  CAF_REQUIRE(static_cast<bool>(files));
  CAF_CHECK_EQUAL((*files)->size(), 6u);
  auto mode = [&](const file_ref& file) {
    return ::fcntl((*files)->get(file.index), F_GETFL) & O_ACCMODE;
  };
  CAF_CHECK_EQUAL(mode(config.app.apk), O_RDONLY);
  CAF_CHECK_EQUAL(mode(config.app.idsig), O_RDONLY);
  CAF_CHECK_EQUAL(mode(config.app.instance), O_RDWR);
  CAF_CHECK_EQUAL(mode(config.app.encrypted_storage), O_RDWR);
  CAF_CHECK_EQUAL(mode(config.app.extra_apks[0].apk), O_RDONLY);
  config.app.extra_apks[0].idsig.path = "missing";
  CAF_CHECK_EQUAL(problem(),
                  "app.extra_apks[0].idsig \"missing\": no such file in " + folder.string());
}

CAF_TEST(the first file that can not be had is named) {
  CAF_CHECK_EQUAL(problem_of_kernel("vmlinuz"),
                  "kernel \"vmlinuz\": no such file in " + folder.string());
  CAF_CHECK_EQUAL(problem_of_kernel("/nonexistent/vmlinuz"),
                  "kernel \"/nonexistent/vmlinuz\": no such file");
  CAF_CHECK_EQUAL(problem_of_kernel("vmlinux/x"), "kernel \"vmlinux/x\": Not a directory");
  CAF_CHECK_EQUAL(problem_of_kernel(std::string(300, 'k')).substr(87),
                  "k...\": File name too long");
}

CAF_TEST(a directory can not be a writable disk) {
  add_disk(".", true);
  CAF_CHECK_EQUAL(problem(), "disks[0] \".\": is a directory");
}

CAF_TEST(nobody waits for the other end of a FIFO) {
  add_disk("fifo", true);
  CAF_CHECK_EQUAL(problem_of_kernel("fifo"), "");
}

CAF_TEST(nothing stays open after a failure) {
  add_disk("a.img", false);
  add_disk("missing", true);
  auto before = open_descriptors();
  CAF_CHECK_EQUAL(problem(), "disks[1] \"missing\": no such file in " + folder.string());
  CAF_CHECK_EQUAL(open_descriptors(), before);
}

CAF_TEST(a folder that is none is named) {
  auto files = open_vm_files(config, "/nonexistent");
  CAF_REQUIRE(!files);
  CAF_CHECK_EQUAL(files.why().what, "folder \"/nonexistent\": No such file or directory");
}

CAF_TEST(a stored image is named and not opened) {
  add_disk("image:root.img", false);
  add_disk("a.img", false);
  auto files = open_vm_files(config, folder);
  CAF_REQUIRE(static_cast<bool>(files));
  auto& set = **files;
  auto index = config.disks[0].image.index;
  CAF_CHECK_EQUAL(set.size(), 3u);
  CAF_REQUIRE_EQUAL(set.stored_images().count(index), 1u);
  CAF_CHECK_EQUAL(set.stored_images().at(index), "root.img");
  CAF_CHECK_EQUAL(set.get(index), -1);
  CAF_CHECK_EQUAL(content(set.get(config.disks[1].image.index)), "a.img");
}

CAF_TEST(a file that is called like a stored image has a folder before its name) {
  std::ofstream{folder / "image:a"} << "a file";
  add_disk("./image:a", false);
  auto files = open_vm_files(config, folder);
  CAF_REQUIRE(static_cast<bool>(files));
  CAF_CHECK_EQUAL(content((*files)->get(config.disks[0].image.index)), "a file");
  add_disk("image:../a", false);
  CAF_CHECK_EQUAL(problem(),
                  "disks[1] \"image:../a\": what follows \"image:\" is no name of a stored "
                  "image; a file of that name is written \"./image:…\"");
}

CAF_TEST(the folder of a file is found without symlinks) {
  std::filesystem::create_directory_symlink(folder, folder / "here");
  CAF_CHECK_EQUAL(folder_of((folder / "here/f.json").string()), folder.string());
  CAF_CHECK_EQUAL(folder_of("f.json"), std::filesystem::canonical(".").string());
  CAF_CHECK_EQUAL(folder_of("/f.json"), "/");
}

CAF_TEST_FIXTURE_SCOPE_END()
