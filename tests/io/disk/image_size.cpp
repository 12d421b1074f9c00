// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/image_size.hpp"

#include "crosvisor/tests/io/disk/whole_disk.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.disk.image_size

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

std::string problem_of(int fd, image_format format) {
  auto size = image_size(fd, format, "p");
  return size ? "none: " + std::to_string(*size) : size.why().what;
}

} // namespace

CAF_TEST(a raw image has the size of its file and its offset is left alone) {
  auto image = memory_image(std::string(5000, 'x'));
  CAF_REQUIRE_EQUAL(::lseek(image.get(), 17, SEEK_SET), 17);
  auto size = image_size(image.get(), image_format::raw, "p");
  CAF_REQUIRE(static_cast<bool>(size));
  CAF_CHECK_EQUAL(*size, 5000u);
  CAF_CHECK_EQUAL(::lseek(image.get(), 0, SEEK_CUR), 17);
  CAF_CHECK_EQUAL(problem_of(memory_image("").get(), image_format::raw), "none: 0");
}

CAF_TEST(a raw image that crosvm takes for another is refused) {
  auto raw = [](const std::string& content) {
    return problem_of(memory_image(content).get(), image_format::raw);
  };
  CAF_CHECK_EQUAL(raw("\x3a\xff\x26\xed"),
                  "p: stated as raw, but its first bytes are those of an Android sparse image; "
                  "state its format as sparse");
  CAF_CHECK_EQUAL(raw("\x28\xb5\x2f\xfd"),
                  "p: stated as raw, but its first bytes are those of zstd; "
                  "a partition is raw or sparse");
}

CAF_TEST(a block device has the size that the kernel tells) {
  unique_fd device{::open("/dev/loop0", O_RDONLY | O_CLOEXEC)};
  if (!device) {
    CAF_MESSAGE("skipped: no block device can be opened here: " << std::strerror(errno));
    return;
  }
  // Without a file behind it, that is 0.
  auto size = file_size(device.get());
  CAF_REQUIRE(static_cast<bool>(size));
  CAF_CHECK_EQUAL(*size, static_cast<std::uint64_t>(::lseek(device.get(), 0, SEEK_END)));
}

CAF_TEST(nothing but files and block devices is measured) {
  temp_dir dir;
  CAF_REQUIRE_EQUAL(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  // Open for both, so that reading it would wait for ever.
  unique_fd fifo{::open((dir / "fifo").c_str(), O_RDWR | O_CLOEXEC)};
  for (auto format : {image_format::raw, image_format::sparse})
    CAF_CHECK_EQUAL(problem_of(fifo.get(), format), "p: is neither a file nor a block device");
  unique_fd zero{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
  CAF_CHECK_EQUAL(problem_of(zero.get(), image_format::raw),
                  "p: is neither a file nor a block device");
  auto closed = image_size(-1, image_format::raw, "p");
  CAF_REQUIRE(!closed);
  CAF_CHECK_EQUAL(closed.why().code, EBADF);
}

CAF_TEST(what can not be read is told with the host error) {
  temp_dir dir;
  unique_fd writing{::open(dir.write("a", "x").c_str(), O_WRONLY | O_CLOEXEC)};
  auto size = image_size(writing.get(), image_format::raw, "p");
  CAF_REQUIRE(!size);
  CAF_CHECK_EQUAL(size.why().code, EBADF);
  CAF_CHECK_EQUAL(size.why().what, "p: can't be read: Bad file descriptor");
}
