// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vm_files.hpp"

#include "crosvisor/tests/io/checked_files.hpp"
#include "crosvisor/tests/io/leftovers.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.vm_files

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

CAF_TEST_FIXTURE_SCOPE(vm_files_tests, checked_files)

CAF_TEST(files as they should be are fit) {
  config.initrd = file(dir.write("initrd", "x"), O_RDONLY);
  disk("ro.img", "x", O_RDONLY, false);
  disk("rw.img", "x", O_RDWR, true);
  config.console = file(dir / "console", O_WRONLY | O_CREAT);
  config.log = file("/dev/null", O_WRONLY);
  CAF_CHECK_EQUAL(problem(), "");
  CAF_CHECK_EQUAL(problem(vmm_kind::crosvm), "");
}

CAF_TEST(each file is named with what is wrong with it) {
  auto kernel = [&](const std::string& path, int flags) {
    config.kernel = file(path, flags);
    return problem();
  };
  CAF_CHECK_EQUAL(kernel(dir.path(), O_RDONLY).substr(0, 8), "kernel \"");
  CAF_CHECK_EQUAL(kernel("/tmp", O_RDONLY), "kernel \"tmp\": is a directory");
  CAF_CHECK_EQUAL(kernel("/dev/null", O_RDONLY), "kernel \"null\": is not a regular file");
  CAF_CHECK_EQUAL(kernel(dir.write("empty", ""), O_RDONLY), "kernel \"empty\": is empty");
  CAF_CHECK_EQUAL(kernel(dir / "vmlinux", O_WRONLY), "kernel \"vmlinux\": is not open for reading");
  CAF_CHECK_EQUAL(kernel(dir / "vmlinux", O_PATH), "kernel \"vmlinux\": is not open for reading");
  CAF_CHECK_EQUAL(kernel(dir / "missing", O_RDONLY),
                  "kernel \"missing\": came without a descriptor");
  config.kernel = {"beyond", 4'000'000'000};
  CAF_CHECK_EQUAL(problem(), "kernel \"beyond\": came without a descriptor");
}

CAF_TEST(a disk needs the access that it is given for) {
  auto check = [&](int flags, bool writable) {
    config.disks.clear();
    disk("a.img", "x", flags, writable);
    return problem();
  };
  CAF_CHECK_EQUAL(check(O_RDONLY, true), "disks[0] \"a.img\": is not open for writing");
  CAF_CHECK_EQUAL(check(O_WRONLY, true), "disks[0] \"a.img\": is not open for reading");
  CAF_CHECK_EQUAL(check(O_RDWR | O_APPEND, true), "disks[0] \"a.img\": is open for appending");
  CAF_CHECK_EQUAL(check(O_RDWR, false), "");
  config.disks = {{file("/dev/null", O_RDWR), image_format::raw, true}};
  CAF_CHECK_EQUAL(problem(), "disks[0] \"null\": is neither a file nor a block device");
  config.disks = {{}};
  CAF_CHECK_EQUAL(problem(), "disks[0]: has no image");
}

CAF_TEST(a FIFO is no disk and is not waited for) {
  CAF_REQUIRE_EQUAL(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  config.disks = {{file(dir / "fifo", O_RDONLY | O_NONBLOCK), image_format::raw, false}};
  CAF_CHECK_EQUAL(problem(), "disks[0] \"fifo\": is neither a file nor a block device");
}

CAF_TEST(a disk that is written is given once whatever it is called) {
  disk("a.img", "x", O_RDONLY, false);
  std::filesystem::create_hard_link(dir / "a.img", dir / "b.img");
  config.disks.push_back({file(dir / "b.img", O_RDONLY), image_format::raw, false});
  CAF_CHECK_EQUAL(problem(), "");
  config.disks.push_back({file(dir / "a.img", O_RDWR), image_format::raw, true});
  CAF_CHECK_EQUAL(problem(), "disks[2] \"a.img\": is the same file as disks[0] \"a.img\", and one "
                             "of them is writable");
}

CAF_TEST(what a VM boots from is no disk that it writes) {
  config.disks.push_back({file(dir / "vmlinux", O_RDWR), image_format::raw, true});
  CAF_CHECK_EQUAL(problem(),
                  "disks[0] \"vmlinux\": is the same file as kernel \"vmlinux\", and one "
                  "of them is writable");
  config.disks[0].writable = false;
  CAF_CHECK_EQUAL(problem(), "");
}

CAF_TEST(an image of another format than stated is refused) {
  disk("a.img", "x", O_RDONLY, false);
  config.disks[0].format = image_format::qcow2;
  CAF_CHECK_NOT_EQUAL(problem().find("disks[0] \"a.img\": stated as qcow2"), std::string::npos);
}

CAF_TEST(an output has to be open for writing) {
  config.console = file(dir.write("console", ""), O_RDONLY);
  CAF_CHECK_EQUAL(problem(), "console \"console\": is not open for writing");
  config.console = file("/tmp", O_RDONLY);
  CAF_CHECK_EQUAL(problem(), "console \"tmp\": is a directory");
}

CAF_TEST(a name of a stranger steers no terminal) {
  config.kernel.path = "\x1b[31m\n";
  files.clear();
  CAF_CHECK_EQUAL(problem().find('\x1b'), std::string::npos);
}

CAF_TEST(what is not written is described for reading alone) {
  holdings before;
  config.kernel = file(dir / "vmlinux", O_RDWR);
  disk("ro.img", "x", O_RDWR, false);
  disk("rw.img", "x", O_RDWR, true);
  {
    auto described = describe_vm_files(config, files);
    CAF_REQUIRE(described);
    auto mode = [](int fd) { return ::fcntl(fd, F_GETFL) & O_ACCMODE; };
    CAF_CHECK_EQUAL(mode(described->kernel), O_RDONLY);
    CAF_CHECK_EQUAL(mode(described->disks[0].fd), O_RDONLY);
    CAF_CHECK_EQUAL(mode(described->disks[1].fd), O_RDWR);
    CAF_CHECK_EQUAL(described->disks[1].fd, files.get(config.disks[1].image.index));
    CAF_CHECK_EQUAL(described->reopened.size(), 2u);
    CAF_CHECK_EQUAL(described->initrd, -1);
    CAF_CHECK(!described->disks[0].block_device);
  }
  files.clear();
  config.kernel = {};
  CAF_CHECK_LESS(open_descriptors().size(), before.descriptors.size() + 1);
}

CAF_TEST(partitions are files as they are used) {
  partition("ro.img", "x", O_RDWR, false);
  partition("rw.img", "x", O_RDWR, true);
  for (auto vmm : {vmm_kind::qemu, vmm_kind::crosvm})
    CAF_CHECK_EQUAL(problem(vmm), "");
  auto with = [&](const std::string& content, int flags, bool writable) {
    config.disks[0].partitions.resize(1);
    partition("p.img", content, flags, writable);
    return problem();
  };
  CAF_CHECK_EQUAL(with("x", O_RDONLY, true),
                  "disks[0].partitions[1] \"p.img\": is not open for writing");
  CAF_CHECK_EQUAL(with("x", O_RDWR | O_APPEND, true),
                  "disks[0].partitions[1] \"p.img\": is open for appending");
  CAF_CHECK_EQUAL(with("x", O_WRONLY, false),
                  "disks[0].partitions[1] \"p.img\": is not open for reading");
  CAF_CHECK_EQUAL(with("", O_RDONLY, false), "disks[0].partitions[1] \"p.img\": is empty");
  CAF_CHECK_EQUAL(with("QFI\xfb", O_RDONLY, false),
                  "disks[0].partitions[1] \"p.img\": stated as raw, but its first bytes are those "
                  "of qcow2; a partition is raw or sparse");
  config.disks[0].partitions[1].format = image_format::sparse;
  CAF_CHECK_EQUAL(problem(), "disks[0].partitions[1] \"p.img\": sparse image: does not begin with "
                             "the bytes 3a ff 26 ed");
  config.disks[0].partitions[1].image = file("/dev/null", O_RDWR);
  CAF_CHECK_EQUAL(problem(),
                  "disks[0].partitions[1] \"null\": is neither a file nor a block device");
  config.disks[0].partitions[1].image = {"gone", 4'000'000'000};
  CAF_CHECK_EQUAL(problem(), "disks[0].partitions[1] \"gone\": came without a descriptor");
  config.disks[0].partitions[1].image = {};
  CAF_CHECK_EQUAL(problem(), "disks[0].partitions[1]: has no image");
}

CAF_TEST(a file that is written is given once across disks and partitions) {
  partition("a.img", "x", O_RDWR, true);
  config.disks.push_back({file(dir / "a.img", O_RDONLY), image_format::raw, false});
  CAF_CHECK_EQUAL(problem(), "disks[1] \"a.img\": is the same file as disks[0].partitions[0] "
                             "\"a.img\", and one of them is writable");
  config.disks[0].partitions[0].writable = false;
  CAF_CHECK_EQUAL(problem(), "");
  config.disks.pop_back();
  config.disks[0].partitions.push_back(
    {"b", file(dir / "a.img", O_RDWR), image_format::raw, true, ""});
  CAF_CHECK_EQUAL(problem(), "disks[0].partitions[1] \"a.img\": is the same file as "
                             "disks[0].partitions[0] \"a.img\", and one of them is writable");
}

CAF_TEST(a disk of partitions is described by what was built from it) {
  partition("a.img", "x", O_RDWR, true);
  disk("b.img", "x", O_RDONLY, false);
  auto described = describe_vm_files(config, files);
  CAF_REQUIRE(!described);
  CAF_CHECK_EQUAL(described.why().what, "disks[0]: its partitions came without a disk");
  built_disks built;
  built[0].descriptor.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  built[0].components = {7, 9};
  built[0].sparse = {9};
  described = describe_vm_files(config, files, &built);
  CAF_REQUIRE(described);
  CAF_REQUIRE_EQUAL(described->disks.size(), 2u);
  const auto& first = described->disks[0];
  CAF_CHECK(first.composite);
  CAF_CHECK(first.writable);
  CAF_CHECK_EQUAL(first.fd, built[0].descriptor.get());
  CAF_CHECK(first.components == std::vector<int>({7, 9}));
  CAF_CHECK(first.sparse == std::vector<int>({9}));
  CAF_CHECK(!described->disks[1].composite);
  CAF_CHECK_EQUAL(described->disks[1].fd, files.get(config.disks[1].image.index));
}

CAF_TEST(the files of an app are checked) {
  config = {};
  auto make = [&](const char* name, int flags) { return file(dir.write(name, "x"), flags); };
  auto fresh = [&] {
    config.app.apk = make("apk", O_RDONLY);
    config.app.idsig = make("idsig", O_RDONLY);
    config.app.instance = make("instance", O_RDWR);
    config.app.encrypted_storage = make("store", O_RDWR);
    config.app.extra_apks = {{make("extra", O_RDONLY), make("extra.idsig", O_RDONLY)}};
  };
  fresh();
  CAF_CHECK_EQUAL(problem(), "");
  config.app.apk = file("/tmp", O_RDONLY);
  CAF_CHECK_EQUAL(problem(), "app.apk \"tmp\": is a directory");
  fresh();
  config.app.idsig = file("/dev/null", O_RDONLY);
  CAF_CHECK_EQUAL(problem(), "app.idsig \"null\": is not a regular file");
  fresh();
  config.app.instance = make("instance", O_RDONLY);
  CAF_CHECK_EQUAL(problem(), "app.instance \"instance\": is not open for writing");
  config.app.instance = file("/dev/null", O_RDWR);
  CAF_CHECK_EQUAL(problem(), "app.instance \"null\": is not a regular file");
  fresh();
  config.app.encrypted_storage = file(dir / "instance", O_RDWR);
  CAF_CHECK_EQUAL(problem(), "app.encrypted_storage \"instance\": is the same file as app.instance "
                             "\"instance\", and one of them is writable");
  config.app.encrypted_storage = {};
  CAF_CHECK_EQUAL(problem(), "");
  config.app.extra_apks[0].apk = {"gone", 4'000'000'000};
  CAF_CHECK_EQUAL(problem(), "app.extra_apks[0].apk \"gone\": came without a descriptor");
  fresh();
  config.app.extra_apks[0].idsig = make("extra.idsig", O_WRONLY);
  CAF_CHECK_EQUAL(problem(), "app.extra_apks[0].idsig \"extra.idsig\": is not open for reading");
}

CAF_TEST(files of the kernel are no images and no outputs) {
  auto kernel_file = [&](const char* path, int flags) {
    config.kernel = file(path, flags);
    return problem();
  };
  CAF_CHECK_EQUAL(kernel_file("/proc/self/mem", O_RDONLY),
                  "kernel \"mem\": is a file of the kernel's");
  CAF_CHECK_EQUAL(kernel_file("/proc/self/maps", O_RDONLY),
                  "kernel \"maps\": is a file of the kernel's");
  config.kernel = file(dir / "vmlinux", O_RDONLY);
  config.disks = {{file("/proc/self/mem", O_RDWR), image_format::raw, true}};
  CAF_CHECK_EQUAL(problem(), "disks[0] \"mem\": is a file of the kernel's");
  config.disks.clear();
  // A guest would write there with the service's rights.
  config.console = file("/proc/self/oom_score_adj", O_WRONLY);
  CAF_CHECK_EQUAL(problem(), "console \"oom_score_adj\": is a file of the kernel's");
  config.console = {};
  config.log = file("/proc/self/comm", O_WRONLY);
  CAF_CHECK_EQUAL(problem(), "log \"comm\": is a file of the kernel's");
}

CAF_TEST(a link that a client opened is the file that it led to) {
  std::filesystem::create_symlink(dir / "vmlinux", dir / "link");
  config.kernel = file(dir / "link", O_RDONLY);
  CAF_CHECK_EQUAL(problem(), "");
  auto fd = files.get(config.kernel.index);
  config.kernel = file("/proc/self/fd/" + std::to_string(fd), O_RDONLY);
  CAF_CHECK_EQUAL(problem(), "");
  config.disks.push_back(
    {file("/proc/self/fd/" + std::to_string(fd), O_RDWR), image_format::raw, true});
  CAF_CHECK_NOT_EQUAL(problem().find("is the same file as kernel"), std::string::npos);
}

CAF_TEST(sockets pipes and devices are no images) {
  int ends[2];
  CAF_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  unique_fd other{ends[1]};
  config.kernel = {"socket", files.add(unique_fd{ends[0]})};
  CAF_CHECK_EQUAL(problem(), "kernel \"socket\": is not a regular file");
  std::swap(config.kernel, config.disks.emplace_back().image);
  config.kernel = file(dir / "vmlinux", O_RDONLY);
  CAF_CHECK_EQUAL(problem(), "disks[0] \"socket\": is neither a file nor a block device");
  for (std::string device : {"/dev/mem", "/dev/zero", "/dev/tty"}) {
    if (::access(device.c_str(), R_OK) != 0) {
      CAF_MESSAGE("skipped: there is no " << device);
      continue;
    }
    config.disks = {{file(device, O_RDONLY | O_NONBLOCK), image_format::raw, false}};
    if (files.get(config.disks[0].image.index) < 0)
      CAF_MESSAGE("skipped: " << device << " can't be opened");
    else
      CAF_CHECK_NOT_EQUAL(problem().find("is neither a file nor a block device"),
                          std::string::npos);
  }
}

CAF_TEST(a disk that is only named or was emptied is refused) {
  config.disks = {{file(dir / "vmlinux", O_PATH), image_format::raw, false}};
  CAF_CHECK_EQUAL(problem(), "disks[0] \"vmlinux\": is not open for reading");
  config.disks = {{file(dir.path(), O_PATH | O_DIRECTORY), image_format::raw, false}};
  CAF_CHECK_NOT_EQUAL(problem().find("is a directory"), std::string::npos);
  config.disks.clear();
  disk("a.img", "content", O_RDWR, true);
  CAF_CHECK_EQUAL(problem(), "");
  std::filesystem::resize_file(dir / "a.img", 0);
  CAF_CHECK_EQUAL(problem(), "disks[0] \"a.img\": is empty");
}

CAF_TEST(a sealed file is no disk to write) {
  unique_fd memory{::memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  CAF_REQUIRE_EQUAL(::write(memory.get(), "x", 1), 1);
  auto fd = memory.get();
  config.disks = {{{"sealed", files.add(std::move(memory))}, image_format::raw, true}};
  CAF_CHECK_EQUAL(problem(), "");
  CAF_REQUIRE_EQUAL(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
  CAF_CHECK_EQUAL(problem(), "disks[0] \"sealed\": is sealed against writing");
  config.disks[0].writable = false;
  CAF_CHECK_EQUAL(problem(), "");
}

CAF_TEST(an output goes to a file a pipe a socket or a character device) {
  auto console = [&](unique_fd fd) {
    config.console = {"it", files.add(std::move(fd))};
    return problem();
  };
  int ends[2], pair[2];
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  CAF_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  unique_fd peer{pair[1]};
  CAF_CHECK_EQUAL(console(unique_fd{ends[0]}), "console \"it\": is not open for writing");
  CAF_CHECK_EQUAL(console(unique_fd{ends[1]}), "");
  CAF_CHECK_EQUAL(console(unique_fd{pair[0]}), "");
  constexpr auto kinds =
    "console \"it\": is neither a file, a pipe, a socket nor a character device";
  CAF_CHECK_EQUAL(console(unique_fd{::eventfd(0, EFD_CLOEXEC)}), kinds);
  unique_fd device{::open("/dev/loop0", O_WRONLY | O_CLOEXEC)};
  if (device)
    CAF_CHECK_EQUAL(console(std::move(device)), kinds);
  else
    CAF_MESSAGE("skipped: no block device can be opened here");
  CAF_CHECK_EQUAL(console(unique_fd{::open((dir / "vmlinux").c_str(), O_PATH | O_CLOEXEC)}),
                  "console \"it\": is not open for writing");
}

CAF_TEST(an output is no image but console and log may be one) {
  config.console = file(dir.write("out", ""), O_WRONLY);
  config.log = file(dir / "out", O_WRONLY | O_APPEND);
  CAF_CHECK_EQUAL(problem(), "");
  config.log = file(dir / "vmlinux", O_WRONLY);
  CAF_CHECK_EQUAL(problem(), "log \"vmlinux\": is the same file as kernel \"vmlinux\"");
}

CAF_TEST_FIXTURE_SCOPE_END()
