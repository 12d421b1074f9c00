// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/timed_lock.hpp"

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE io.timed_lock

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture {
  temp_dir dir;
  std::string path = dir.write("file", "");
  unique_fd ours = open_one(), others = open_one();

  unique_fd open_one() const { return unique_fd{::open(path.c_str(), O_RDWR | O_CLOEXEC)}; }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(timed_lock_tests, fixture)

CAF_TEST(a lock that is free is taken at once) {
  CAF_CHECK(lock_within(ours.get(), 0ms));
  CAF_CHECK_NOT_EQUAL(::flock(others.get(), LOCK_EX | LOCK_NB), 0);
}

CAF_TEST(one that another has is waited for no longer than is said) {
  CAF_REQUIRE(lock_within(others.get(), 0ms));
  auto began = std::chrono::steady_clock::now();
  CAF_CHECK(!lock_within(ours.get(), 30ms));
  CAF_CHECK_EQUAL(errno, EWOULDBLOCK);
  CAF_CHECK(std::chrono::steady_clock::now() - began >= 30ms);
}

CAF_TEST(one that comes free meanwhile is taken) {
  CAF_REQUIRE(lock_within(others.get(), 0ms));
  std::thread holder{[&] { ::flock(others.get(), LOCK_UN); }};
  CAF_CHECK(lock_within(ours.get(), 60s));
  holder.join();
}

CAF_TEST(what can not be locked is not tried again) {
  CAF_CHECK(!lock_within(-1, 60s));
  CAF_CHECK_EQUAL(errno, EBADF);
}

CAF_TEST_FIXTURE_SCOPE_END()
