// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/output_copy.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <mutex>

#undef CAF_SUITE
#define CAF_SUITE cli.output_copy

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace std::chrono_literals;

namespace {

constexpr auto bound = 10s;

struct pipe_ends {
  pipe_ends() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) == 0) {
      read.reset(fds[0]);
      write.reset(fds[1]);
    }
  }

  void put(const std::string& bytes) const {
    CAF_REQUIRE_EQUAL(::write(write.get(), bytes.data(), bytes.size()),
                      static_cast<ssize_t>(bytes.size()));
  }

  /// All that there is until the end of file.
  std::string all() const {
    std::string text;
    std::array<char, 4096> buffer;
    for (ssize_t n; (n = ::read(read.get(), buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(n));
    return text;
  }

  io::unique_fd read;
  io::unique_fd write;
};

struct fixture {
  fixture() { std::signal(SIGPIPE, SIG_IGN); }

  std::unique_ptr<output_copy> make() {
    return std::make_unique<output_copy>(std::move(to.write), "standard output",
                                         [this](const std::string& what) {
                                           std::lock_guard lock{mutex};
                                           said += what;
                                         });
  }

  std::string words() {
    std::lock_guard lock{mutex};
    return said;
  }

  pipe_ends from;
  pipe_ends to;
  std::mutex mutex;
  std::string said;
};

/// More than a pipe holds, with every byte that there is.
std::string many_bytes() {
  std::string bytes;
  for (int i = 0; i < 1 << 20; ++i)
    bytes += static_cast<char>(i * 7 + i / 256);
  return bytes;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(output_copy_tests, fixture)

CAF_TEST(bytes come unchanged and whole) {
  auto copy = make();
  copy->begin(std::move(from.read));
  auto bytes = many_bytes();
  auto writer = std::async(std::launch::async, [&] {
    std::size_t done = 0;
    while (done < bytes.size())
      done += static_cast<std::size_t>(
        std::max<ssize_t>(0, ::write(from.write.get(), bytes.data() + done, bytes.size() - done)));
    from.write.reset();
  });
  CAF_CHECK(to.all() == bytes);
  CAF_CHECK(copy->wait(bound));
  CAF_CHECK_EQUAL(words(), "");
}

CAF_TEST(a line comes before the next is written) {
  auto copy = make();
  copy->begin(std::move(from.read));
  from.put("one\n");
  std::array<char, 16> buffer{};
  CAF_CHECK_EQUAL(::read(to.read.get(), buffer.data(), buffer.size()), 4);
  from.write.reset();
  CAF_CHECK(copy->wait(bound));
}

CAF_TEST(a slow reader is waited for) {
  ::fcntl(to.write.get(), F_SETPIPE_SZ, 4096);
  auto copy = make();
  copy->begin(std::move(from.read));
  from.put(std::string(32768, 'x'));
  from.write.reset();
  auto waited = std::async(std::launch::async, [&] { return copy->wait(0ms); });
  CAF_CHECK(waited.wait_for(50ms) == std::future_status::timeout);
  CAF_CHECK_EQUAL(to.all().size(), 32768u);
  CAF_CHECK(waited.get());
}

CAF_TEST(whoever gives up waits no longer) {
  ::fcntl(to.write.get(), F_SETPIPE_SZ, 4096);
  auto copy = make();
  copy->begin(std::move(from.read));
  from.put(std::string(32768, 'x'));
  copy->give_up();
  CAF_CHECK(!copy->wait(1ms));
  copy.reset();
  // Left behind, and ends with its reader.
  to.read.reset();
}

CAF_TEST(a reader that is gone ends the copy and closes its source) {
  to.read.reset();
  auto copy = make();
  copy->begin(std::move(from.read));
  from.put("one\n");
  CAF_CHECK(copy->wait(bound));
  CAF_CHECK_EQUAL(words(), "standard output: nobody reads it any more; the rest of the payload's "
                           "output is dropped");
  CAF_CHECK_EQUAL(::write(from.write.get(), "two\n", 4), -1);
  CAF_CHECK_EQUAL(errno, EPIPE);
}

CAF_TEST(descriptors that do not block are waited for too) {
  ::fcntl(to.write.get(), F_SETPIPE_SZ, 4096);
  ::fcntl(to.write.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(from.read.get(), F_SETFL, O_NONBLOCK);
  auto copy = make();
  copy->begin(std::move(from.read));
  from.put(std::string(32768, 'x'));
  from.write.reset();
  CAF_CHECK_EQUAL(to.all().size(), 32768u);
  CAF_CHECK(copy->wait(bound));
  CAF_CHECK_EQUAL(words(), "");
}

CAF_TEST(nothing is waited for where nothing was begun) {
  CAF_CHECK(make()->wait(bound));
}

CAF_TEST_FIXTURE_SCOPE_END()
