// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/port_copy.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <future>

#undef CAF_SUITE
#define CAF_SUITE cli.port_copy

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace std::chrono_literals;

namespace {

constexpr auto bound = 20s;

/// All that there is until the end of file.
std::string all_of(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t n; (n = ::read(fd, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(n));
  return text;
}

void put(int fd, std::string_view bytes) {
  CAF_REQUIRE_EQUAL(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

/// A guest at one end of a socket pair, and a user at the ends of two pipes.
struct fixture {
  fixture() {
    std::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
    in.reset(ends[0]);
    typed.reset(ends[1]);
    CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
    seen.reset(ends[0]);
    out.reset(ends[1]);
    CAF_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    socket.reset(ends[0]);
    guest.reset(ends[1]);
    // As the service gives it.
    ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  }

  /// The thread that reads the input may outlive the copy: it must not find the next test's there.
  ~fixture() { static_cast<void>(in.release()); }

  void begin() {
    ended = std::async(std::launch::async, [this] {
      auto problem = copy_both_ways(in.get(), out.get(), std::move(socket));
      out.reset();
      return problem;
    });
  }

  std::string end() {
    CAF_REQUIRE(ended.wait_for(bound) == std::future_status::ready);
    return ended.get();
  }

  io::unique_fd in, typed, seen, out, socket, guest;
  std::future<std::string> ended;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(port_copy_tests, fixture)

CAF_TEST(each way is copied and closed alone) {
  begin();
  put(typed.get(), "hello");
  typed.reset();
  CAF_CHECK_EQUAL(all_of(guest.get()), "hello");
  // The guest still answers.
  put(guest.get(), "world");
  ::shutdown(guest.get(), SHUT_WR);
  CAF_CHECK_EQUAL(all_of(seen.get()), "world");
  CAF_CHECK_EQUAL(end(), "");
}

CAF_TEST(a guest that has said all still hears) {
  begin();
  put(guest.get(), "bye");
  ::shutdown(guest.get(), SHUT_WR);
  CAF_CHECK_EQUAL(all_of(seen.get()), "bye");
  CAF_CHECK(ended.wait_for(0s) != std::future_status::ready);
  put(typed.get(), "more");
  typed.reset();
  CAF_CHECK_EQUAL(all_of(guest.get()), "more");
  CAF_CHECK_EQUAL(end(), "");
}

CAF_TEST(a guest that is gone is not waited for by an open input) {
  begin();
  put(guest.get(), "bye");
  guest.reset();
  CAF_CHECK_EQUAL(all_of(seen.get()), "bye");
  CAF_CHECK_EQUAL(end(), "");
  typed.reset();
}

CAF_TEST(much is copied both ways at once) {
  std::string much(4 << 20, 'x');
  begin();
  auto typing = std::async(std::launch::async, [&] {
    for (std::string_view rest = much; !rest.empty();) {
      auto n = ::write(typed.get(), rest.data(), rest.size());
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    typed.reset();
  });
  // The guest gives back what it gets.
  auto echo = std::async(std::launch::async, [&] {
    std::vector<char> buffer(64 << 10);
    for (ssize_t n; (n = ::read(guest.get(), buffer.data(), buffer.size())) > 0;) {
      for (std::string_view rest{buffer.data(), static_cast<std::size_t>(n)}; !rest.empty();) {
        auto m = ::write(guest.get(), rest.data(), rest.size());
        rest.remove_prefix(static_cast<std::size_t>(m));
      }
    }
    ::shutdown(guest.get(), SHUT_WR);
  });
  auto seen_bytes = all_of(seen.get());
  CAF_CHECK(seen_bytes == much);
  CAF_CHECK_EQUAL(end(), "");
}

CAF_TEST(a reader that is gone ends the copy) {
  begin();
  seen.reset();
  put(guest.get(), "x");
  CAF_CHECK_EQUAL(end(), "standard output: nobody reads it any more");
  typed.reset();
}

CAF_TEST_FIXTURE_SCOPE_END()
