// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/partition_image.hpp"

#include "crosvisor/tests/io/disk/whole_disk.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/judge.hpp"

#include <caf/test/dsl.hpp>

#include <sys/mount.h>
#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.disk.partition_image

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::string_literals;

namespace {

struct fixture {
  temp_dir dir;
  job_control control;
  unique_fd file = open(dir.write("p.img", std::string(10'000, 'o')), O_RDWR);

  static unique_fd open(const std::string& path, int flags) {
    return unique_fd{::open(path.c_str(), flags | O_CLOEXEC)};
  }

  // "" when it was made.
  std::string make(int fd, const partition_spec& spec) {
    auto done = make_partition_image(fd, spec, control);
    return done ? "" : done.why().what;
  }

  std::string content() const { return read_file(dir / "p.img"); }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(partition_image_tests, fixture)

CAF_TEST(a raw partition is holes of a rounded size) {
  for (auto [asked, made] : {std::pair{1u, 4096u}, {4096u, 4096u}, {4097u, 8192u}}) {
    CAF_CHECK_EQUAL(make(file.get(), {partition_type::raw, asked}), "");
    CAF_CHECK_EQUAL(content(), std::string(made, '\0'));
  }
  struct stat is;
  CAF_CHECK_EQUAL(make(file.get(), {partition_type::raw, max_partition_bytes}), "");
  ::fstat(file.get(), &is);
  CAF_CHECK_EQUAL(static_cast<std::uint64_t>(is.st_size), max_partition_bytes);
  CAF_CHECK_EQUAL(is.st_blocks, 0);
}

CAF_TEST(an instance image has its header and nothing of what was there) {
  CAF_CHECK_EQUAL(make(file.get(), {partition_type::instance, 10'000}), "");
  auto expected = "Android-VM-instance\x01\x00"s;
  expected.resize(12'288);
  CAF_CHECK_EQUAL(content(), expected);
}

CAF_TEST(an encrypted store is marked to be formatted) {
  CAF_CHECK_EQUAL(make(file.get(), {partition_type::encryptedstore, 4096}), "");
  auto expected = "UNFORMATTED-STORAGE"s;
  expected.resize(4096);
  CAF_CHECK_EQUAL(content(), expected);
}

CAF_TEST(a qcow2 has the rounded size for its guest and is sound) {
  CAF_CHECK_EQUAL(make(file.get(), {partition_type::qcow2, 10'000'000}), "");
  CAF_CHECK_EQUAL(content().size(), std::size_t{262'144});
  CAF_CHECK_EQUAL(ask("qemu-img check -f qcow2 " + dir / "p.img").exit_code, 0);
  auto info = ask("qemu-img info -f qcow2 --output=json " + dir / "p.img");
  CAF_CHECK(info.out.find("\"virtual-size\": 10002432") != std::string::npos);
}

CAF_TEST(the offset of the file is left alone) {
  CAF_REQUIRE_EQUAL(::lseek(file.get(), 5000, SEEK_SET), 5000);
  CAF_CHECK_EQUAL(make(file.get(), {partition_type::instance, 4096}), "");
  CAF_CHECK_EQUAL(::lseek(file.get(), 0, SEEK_CUR), 5000);
}

CAF_TEST(what is asked for is checked before anything is touched) {
  for (auto type : {partition_type::raw, partition_type::qcow2}) {
    CAF_CHECK_EQUAL(make(file.get(), {type, 0}), "size: 0; a partition has at least one byte");
    CAF_CHECK_EQUAL(make(file.get(), {type, max_partition_bytes + 1}),
                    "size: 2199022206977 bytes; at most 2199022206976 are allowed, so that a disk "
                    "has room for it");
    CAF_CHECK_NOT_EQUAL(make(file.get(), {type, ~std::uint64_t{0}}), "");
  }
  CAF_CHECK_EQUAL(make(file.get(), {static_cast<partition_type>(77), 4096}),
                  "type: is none that is known");
  CAF_CHECK_EQUAL(content(), std::string(10'000, 'o'));
}

CAF_TEST(only a regular file that can be read and written is taken) {
  auto make_in = [&](int fd) { return make(fd, {partition_type::raw, 4096}); };
  auto path = dir / "p.img";
  CAF_CHECK_EQUAL(make_in(open(path, O_RDONLY).get()),
                  "the partition's file is not open for writing");
  CAF_CHECK_EQUAL(make_in(open(path, O_WRONLY).get()),
                  "the partition's file is not open for reading");
  CAF_CHECK_EQUAL(make_in(open(path, O_RDWR | O_APPEND).get()),
                  "the partition's file is open for appending");
  CAF_CHECK_EQUAL(make_in(open("/dev/null", O_RDWR).get()),
                  "the partition's file is not a regular file");
  CAF_CHECK_EQUAL(make_in(open(dir.path(), O_RDONLY).get()),
                  "the partition's file is not a regular file");
  CAF_CHECK_EQUAL(make_in(-1), "the partition's file: Bad file descriptor");
  CAF_CHECK_EQUAL(content(), std::string(10'000, 'o'));
}

CAF_TEST(a cancelled job touches nothing) {
  control.cancel();
  auto done = make_partition_image(file.get(), {partition_type::raw, 4096}, control);
  CAF_REQUIRE(!done);
  CAF_CHECK_EQUAL(done.why().code, ECANCELED);
  CAF_CHECK_EQUAL(content(), std::string(10'000, 'o'));
}

CAF_TEST(a failure leaves an empty file and its reason) {
  // A file that can be cut and not grown, whose writing fails: a memory file with a seal.
  unique_fd sealed{::memfd_create("p", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  CAF_REQUIRE(static_cast<bool>(write_at(sealed.get(), 0, "old")));
  CAF_REQUIRE_EQUAL(::fcntl(sealed.get(), F_ADD_SEALS, F_SEAL_GROW), 0);
  auto done = make_partition_image(sealed.get(), {partition_type::instance, 4096}, control);
  CAF_REQUIRE(!done);
  CAF_CHECK_EQUAL(done.why().code, EPERM);
  CAF_CHECK_EQUAL(done.why().what, "the partition's file can't be made 4096 bytes long: Operation "
                                   "not permitted");
  CAF_CHECK_EQUAL(bytes_of(sealed.get()), "");
}

CAF_TEST(on a full filesystem the file is empty) {
  auto mounted = dir / "tiny";
  std::filesystem::create_directory(mounted);
  if (::mount("tiny", mounted.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=8192") != 0) {
    CAF_MESSAGE("skipped: a tmpfs can't be mounted here: " << std::strerror(errno));
    return;
  }
  std::ofstream{mounted + "/full"} << std::string(8192, 'f');
  auto small = open(mounted + "/p.img", O_RDWR | O_CREAT);
  ::fchmod(small.get(), 0600);
  for (auto type : {partition_type::instance, partition_type::qcow2}) {
    auto done = make_partition_image(small.get(), {type, 1 << 20}, control);
    CAF_CHECK(!done);
    if (!done)
      CAF_CHECK_EQUAL(done.why().code, ENOSPC);
    CAF_CHECK_EQUAL(bytes_of(small.get()), "");
  }
  small.reset();
  CAF_CHECK_EQUAL(::umount(mounted.c_str()), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
