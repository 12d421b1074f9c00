// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/descriptor_set.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#undef CAF_SUITE
#define CAF_SUITE io.descriptor_set

using namespace crosvisor::io;

CAF_TEST(duplicates are other descriptors of the same open files) {
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  descriptor_set files;
  files.add(unique_fd{ends[0]});
  files.add(unique_fd{});
  files.add(unique_fd{ends[1]});
  auto copies = files.duplicate();
  CAF_REQUIRE(copies);
  CAF_REQUIRE_EQUAL(copies->size(), 3u);
  CAF_CHECK_NOT_EQUAL(copies->get(0), ends[0]);
  CAF_CHECK_EQUAL(copies->get(1), -1);
  CAF_CHECK_EQUAL(::fcntl(copies->get(2), F_GETFD), FD_CLOEXEC);
  files.clear();
  CAF_CHECK_EQUAL(::write(copies->get(2), "x", 1), 1);
  char byte = 0;
  CAF_CHECK_EQUAL(::read(copies->get(0), &byte, 1), 1);
  CAF_CHECK_EQUAL(byte, 'x');
}

CAF_TEST(a stored image has a place until its descriptor is put there) {
  descriptor_set files;
  files.add(unique_fd{});
  auto index = files.add_stored_image("disk.img");
  CAF_CHECK_EQUAL(index, 1u);
  CAF_CHECK_EQUAL(files.size(), 2u);
  CAF_CHECK_EQUAL(files.get(index), -1);
  auto copies = files.duplicate();
  CAF_REQUIRE(copies);
  CAF_CHECK_EQUAL(copies->stored_images().at(index), "disk.img");
  files.put(index, unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)});
  CAF_CHECK(files.get(index) >= 0);
  CAF_CHECK(files.stored_images().empty());
  files.add_stored_image("other");
  files.clear();
  CAF_CHECK(files.stored_images().empty());
}

CAF_TEST(without room for all there is none) {
  descriptor_set files;
  for (int i = 0; i < 3; ++i)
    files.add(unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)});
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  auto last = files.get(2);
  // Room for one more.
  rlimit tight{static_cast<rlim_t>(last) + 2, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &tight);
  auto copies = files.duplicate();
  ::setrlimit(RLIMIT_NOFILE, &before);
  CAF_REQUIRE(!copies);
  CAF_CHECK_EQUAL(copies.why().code, EMFILE);
  CAF_CHECK_EQUAL(::fcntl(last + 1, F_GETFD), -1);
}
