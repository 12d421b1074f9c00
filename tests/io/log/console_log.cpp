// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/console_log.hpp"

#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <termios.h>

#include <optional>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE io.log.console_log

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace fs = std::filesystem;

namespace {

struct fixture {
  holdings before;
  temp_dir dir;
  std::optional<event_loop> loop{std::in_place, "test-log"};
  std::shared_ptr<const unique_fd> fd = std::make_shared<const unique_fd>(
    ::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  mailbox<std::string> tails;

  std::shared_ptr<console_log> to_files(log_bounds bounds = {}) {
    auto log = log_to_files(*loop, fd, "log", bounds);
    CAF_REQUIRE(log);
    return *log;
  }

  std::shared_ptr<console_log> to_descriptor(unique_fd sink) {
    auto log = log_to_descriptor(*loop, std::move(sink));
    CAF_REQUIRE(log);
    return *log;
  }

  // The VMM's end, as the VMM has it.
  unique_fd take_writer(console_log& log) {
    unique_fd writer{::fcntl(log.writer(), F_DUPFD_CLOEXEC, 3)};
    log.close_writer();
    return writer;
  }

  std::string finish(const std::shared_ptr<console_log>& log) {
    auto earlier = tails.wait(0).size();
    log->finish([this](std::string tail) { tails.put(std::move(tail)); });
    auto all = tails.wait(earlier + 1);
    CAF_REQUIRE_EQUAL(all.size(), earlier + 1);
    return all.back();
  }

  void check_nothing_left() {
    loop.reset();
    fd.reset();
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }
};

void put(int to, const std::string& text) {
  CAF_REQUIRE_EQUAL(::write(to, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

// Writes until somebody reads no more, or `most` bytes are written.
std::size_t flood(int to, std::size_t most) {
  auto bytes = std::string(64u << 10, 'x');
  std::size_t written = 0;
  while (written < most) {
    auto done = ::write(to, bytes.data(), bytes.size());
    if (done <= 0)
      break;
    written += static_cast<std::size_t>(done);
  }
  return written;
}

// Writes until nothing moves on for a while: everything between is full.
std::size_t fill(int to) {
  ::fcntl(to, F_SETFL, O_NONBLOCK);
  std::size_t written = 0;
  pollfd ready{to, POLLOUT, 0};
  while (::poll(&ready, 1, 300) == 1)
    written += flood(to, 1u << 20);
  return written;
}

std::string read_some(int from, std::size_t most = 65'536) {
  pollfd ready{from, POLLIN, 0};
  if (::poll(&ready, 1, 20'000) != 1)
    return "nothing came";
  std::string text(most, '\0');
  auto got = ::read(from, text.data(), text.size());
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

std::pair<unique_fd, unique_fd> make_pipe() {
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(console_log_tests, fixture)

CAF_TEST(what is written is kept and its end is told) {
  auto log = to_files();
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
  auto writer = take_writer(*log);
  put(writer.get(), "hello\nworld\n");
  writer.reset();
  CAF_CHECK_EQUAL(finish(log), "hello\nworld\n");
  CAF_CHECK_EQUAL(read_file(dir / "log"), "hello\nworld\n");
  log = nullptr;
  check_nothing_left();
}

CAF_TEST(the writer waits when nobody reads and our end alone is nonblocking) {
  auto log = to_files();
  CAF_CHECK_EQUAL(::fcntl(log->writer(), F_GETFL) & O_NONBLOCK, 0);
  log = nullptr; // Never started.
  check_nothing_left();
}

CAF_TEST(a flood costs the bound and no more) {
  auto log = to_files({100'000, 3});
  auto writer = take_writer(*log);
  auto written = flood(writer.get(), 20u << 20);
  writer.reset();
  CAF_CHECK_EQUAL(finish(log).size(), 4096u);
  CAF_CHECK_GREATER(written, (20u << 20) - 1);
  CAF_CHECK_EQUAL(names_in(dir.path()), "log log.1 log.2");
  std::uintmax_t kept = 0;
  for (auto& file : fs::directory_iterator{dir.path()})
    kept += file.file_size();
  CAF_CHECK_LESS(kept, 300'001u);
  CAF_CHECK_GREATER(kept, 200'000u);
}

CAF_TEST(a flood does not starve another log) {
  auto flooded = to_files({1u << 20, 2});
  auto flooding = take_writer(*flooded);
  std::thread guest{[&] { flood(flooding.get(), 256u << 20); }};
  auto [in, out] = make_pipe();
  auto quiet = to_descriptor(std::move(out));
  auto writer = take_writer(*quiet);
  for (auto i = 0; i < 50; ++i) {
    put(writer.get(), "ping");
    CAF_CHECK_EQUAL(read_some(in.get()), "ping");
  }
  flooded = nullptr; // The pipe breaks, and with it the flood.
  std::signal(SIGPIPE, SIG_IGN);
  guest.join();
}

CAF_TEST(what an end holds open still does not keep finish waiting) {
  auto log = to_files();
  auto writer = take_writer(*log); // A process that outlives its VMM.
  put(writer.get(), "last words");
  auto begin = std::chrono::steady_clock::now();
  CAF_CHECK_EQUAL(finish(log), "last words");
  CAF_CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds{900});
}

CAF_TEST(a pipe of the client gets everything and the flags stay) {
  auto [in, out] = make_pipe();
  unique_fd shared{::fcntl(out.get(), F_DUPFD_CLOEXEC, 3)};
  auto flags = ::fcntl(shared.get(), F_GETFL);
  auto log = to_descriptor(std::move(out));
  auto writer = take_writer(*log);
  put(writer.get(), "hello");
  CAF_CHECK_EQUAL(read_some(in.get()), "hello");
  CAF_CHECK_EQUAL(::fcntl(shared.get(), F_GETFL), flags);
  writer.reset();
  CAF_CHECK_EQUAL(finish(log), "");
  shared.reset();
  CAF_CHECK_EQUAL(read_some(in.get()), ""); // Its end: ours is closed.
}

CAF_TEST(a socket of the client gets everything and the flags stay) {
  int ends[2];
  CAF_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  unique_fd in{ends[0]}, shared{::fcntl(ends[1], F_DUPFD_CLOEXEC, 3)};
  auto log = to_descriptor(unique_fd{ends[1]});
  auto writer = take_writer(*log);
  std::thread guest{[&] {
    flood(writer.get(), 1u << 20);
    writer.reset();
  }};
  std::size_t got = 0;
  while (got < (1u << 20))
    got += read_some(in.get()).size();
  guest.join();
  CAF_CHECK_EQUAL(got, 1u << 20);
  CAF_CHECK_EQUAL(::fcntl(shared.get(), F_GETFL) & O_NONBLOCK, 0);
  finish(log);
}

CAF_TEST(a terminal of the client gets everything and the flags stay) {
  unique_fd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  CAF_REQUIRE(master && ::grantpt(master.get()) == 0 && ::unlockpt(master.get()) == 0);
  unique_fd slave{::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC)};
  CAF_REQUIRE(slave);
  termios raw;
  ::tcgetattr(slave.get(), &raw);
  ::cfmakeraw(&raw);
  ::tcsetattr(slave.get(), TCSANOW, &raw);
  unique_fd shared{::fcntl(slave.get(), F_DUPFD_CLOEXEC, 3)};
  auto log = to_descriptor(std::move(slave));
  auto writer = take_writer(*log);
  std::thread guest{[&] {
    flood(writer.get(), 1u << 20);
    writer.reset();
  }};
  std::size_t got = 0;
  while (got < (1u << 20))
    got += read_some(master.get()).size();
  guest.join();
  CAF_CHECK_EQUAL(::fcntl(shared.get(), F_GETFL) & O_NONBLOCK, 0);
  finish(log);
}

CAF_TEST(a terminal whose other side nobody reads keeps no other log waiting) {
  unique_fd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  CAF_REQUIRE(master && ::grantpt(master.get()) == 0 && ::unlockpt(master.get()) == 0);
  unique_fd slave{::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC)};
  CAF_REQUIRE(slave);
  termios raw;
  ::tcgetattr(slave.get(), &raw);
  ::cfmakeraw(&raw);
  ::tcsetattr(slave.get(), TCSANOW, &raw);
  auto held_up = to_descriptor(std::move(master));
  auto writer = take_writer(*held_up);
  std::thread guest{[&] {
    flood(writer.get(), 1u << 20);
    writer.reset();
  }};
  // It stands still once nothing moves for the other side to read.
  for (auto i = 0; i < 50; ++i) {
    auto other = to_files();
    auto theirs = take_writer(*other);
    put(theirs.get(), "good");
    theirs.reset();
    CAF_CHECK_EQUAL(finish(other).substr(0, 4), "good");
  }
  finish(held_up);
  slave.reset(); // Lets go of what is being written, and of the guest.
  guest.join();
}

CAF_TEST(a file of the client is written where its offset stands) {
  auto path = dir.write("out", "abcdef");
  unique_fd shared{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
  ::lseek(shared.get(), 3, SEEK_SET);
  auto log = to_descriptor(unique_fd{::fcntl(shared.get(), F_DUPFD_CLOEXEC, 3)});
  auto writer = take_writer(*log);
  put(writer.get(), "XYZ!");
  writer.reset();
  finish(log);
  CAF_CHECK_EQUAL(read_file(path), "abcXYZ!");
  CAF_CHECK_EQUAL(::lseek(shared.get(), 0, SEEK_CUR), 7);
}

CAF_TEST(a slow client makes its own guest wait and loses nothing) {
  auto [in, out] = make_pipe();
  auto slow = to_descriptor(std::move(out));
  auto writer = take_writer(*slow);
  auto written = fill(writer.get());
  CAF_CHECK_GREATER(written, 100'000u); // Both pipes are full.
  CAF_CHECK_LESS(written, 1u << 20);
  // The loop is free for others meanwhile.
  auto other = to_files();
  auto other_writer = take_writer(*other);
  put(other_writer.get(), "x");
  other_writer.reset();
  CAF_CHECK_EQUAL(finish(other), "x");
  // What was written comes out whole; more may go in meanwhile.
  writer.reset();
  std::size_t got = 0;
  for (;;) {
    auto text = read_some(in.get());
    got += text.size();
    if (got >= written || text.empty())
      break;
  }
  CAF_CHECK_EQUAL(got, written);
  finish(slow);
}

CAF_TEST(a client that never reads does not keep finish waiting) {
  auto [in, out] = make_pipe();
  auto log = to_descriptor(std::move(out));
  auto writer = take_writer(*log);
  fill(writer.get());
  writer.reset();
  auto begin = std::chrono::steady_clock::now();
  finish(log);
  auto took = std::chrono::steady_clock::now() - begin;
  CAF_CHECK(took > std::chrono::milliseconds{500} && took < std::chrono::seconds{5});
}

CAF_TEST(a client that has gone swallows the rest) {
  std::signal(SIGPIPE, SIG_DFL); // It would end us.
  int ends[2];
  CAF_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  auto [in, out] = make_pipe();
  in.reset();
  ::close(ends[0]);
  for (auto* sink : {&out, new unique_fd{ends[1]}}) {
    auto log = to_descriptor(std::move(*sink));
    auto writer = take_writer(*log);
    CAF_CHECK_GREATER(flood(writer.get(), 4u << 20), (4u << 20) - 1);
    writer.reset();
    finish(log);
    if (sink != &out)
      delete sink;
  }
}

CAF_TEST(a device that takes everything is a sink) {
  auto log = to_descriptor(unique_fd{::open("/dev/null", O_WRONLY | O_CLOEXEC)});
  auto writer = take_writer(*log);
  CAF_CHECK_GREATER(flood(writer.get(), 1u << 20), (1u << 20) - 1);
  writer.reset();
  finish(log);
  log = nullptr;
  check_nothing_left();
}

CAF_TEST(without descriptors a log is an error that leaves nothing) {
  holdings idle;
  auto failures = 0;
  for (auto free = 0u; free < 6; ++free) {
    auto [in, out] = make_pipe();
    std::optional<descriptor_limit> limit{free};
    auto files = log_to_files(*loop, fd, "log", {});
    files = failure{};
    auto log = log_to_descriptor(*loop, std::move(out));
    limit.reset();
    failures += log ? 0 : 1;
  }
  CAF_CHECK_GREATER(failures, 2);
  CAF_CHECK_LESS(failures, 6);
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(idle));
}

CAF_TEST_FIXTURE_SCOPE_END()
