// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/systemd/inherited_sockets.hpp"

#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/tests/io/in_child.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <cstdlib>
#include <functional>
#include <vector>

#undef CAF_SUITE
#define CAF_SUITE io.systemd.inherited_sockets

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

/// What a process that is started with these descriptors finds, as the kinds that it has.
std::string found_with(const std::vector<int>& passed,
                       const std::function<void()>& before = nullptr) {
  return said_in_child([&] {
    std::vector<int> high;
    for (auto fd : passed)
      high.push_back(::fcntl(fd, F_DUPFD, 50));
    for (std::size_t i = 0; i < high.size(); ++i)
      ::dup2(high[i], static_cast<int>(3 + i));
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(passed.size()).c_str(), 1);
    if (before)
      before();
    auto sockets = io::take_inherited_sockets();
    if (!sockets)
      return sockets.why().what;
    std::string kinds;
    for (const auto* one : {&sockets->stream, &sockets->packet, &sockets->tcp}) {
      auto flags = *one ? ::fcntl(one->get(), F_GETFD) : 0;
      auto status = *one ? ::fcntl(one->get(), F_GETFL) : 0;
      auto fit = (flags & FD_CLOEXEC) != 0 && (status & O_NONBLOCK) != 0;
      kinds += !*one ? "-" : fit ? "+" : "?";
    }
    return kinds + " " + sockets->stream_path
           + (std::getenv("LISTEN_FDS") == nullptr ? "" : " LISTEN_FDS is still set");
  });
}

struct fixture {
  temp_dir dir;
  std::string path = dir / "d.sock";

  io::unique_fd unix_socket(int type, const std::string& name = "d.sock") {
    auto made = io::unix_listener::open({dir / name, type, 0600, {}});
    CAF_REQUIRE(static_cast<bool>(made));
    return made->take();
  }

  static io::unique_fd tcp_socket() {
    auto made = io::listen_tcp("127.0.0.1", 0);
    CAF_REQUIRE(static_cast<bool>(made));
    return std::move(*made);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(inherited_sockets_tests, fixture)

CAF_TEST(nothing is found where nothing was passed) {
  CAF_CHECK_EQUAL(found_with({}, [] { ::unsetenv("LISTEN_FDS"); }), "--- ");
}

CAF_TEST(what was passed to another process is not ours) {
  auto socket = unix_socket(SOCK_STREAM);
  CAF_CHECK_EQUAL(found_with({socket.get()}, [] { ::setenv("LISTEN_PID", "1", 1); }), "--- ");
}

CAF_TEST(sockets are known by their kinds in any order) {
  auto stream = unix_socket(SOCK_STREAM);
  auto packet = unix_socket(SOCK_SEQPACKET, "d.sock.fds");
  auto tcp = tcp_socket();
  CAF_CHECK_EQUAL(found_with({stream.get()}), "+-- " + path);
  CAF_CHECK_EQUAL(found_with({packet.get(), stream.get()}), "++- " + path);
  CAF_CHECK_EQUAL(found_with({tcp.get(), packet.get(), stream.get()}), "+++ " + path);
}

CAF_TEST(a socket in the abstract namespace has no path) {
  io::unique_fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr address{};
  address.sa_family = AF_UNIX;
  ::bind(socket.get(), &address, sizeof address.sa_family); // Chooses a name: unix(7).
  CAF_REQUIRE_EQUAL(::listen(socket.get(), 1), 0);
  CAF_CHECK_EQUAL(found_with({socket.get()}), "+-- ");
}

CAF_TEST(two of a kind are refused) {
  auto one = unix_socket(SOCK_STREAM);
  auto other = unix_socket(SOCK_STREAM, "e.sock");
  CAF_CHECK_EQUAL(found_with({one.get(), other.get()}),
                  "socket activation: descriptor 4 is a second socket of its kind; one of each is "
                  "served");
}

CAF_TEST(what does not listen is refused) {
  std::string refusal = " is no listening socket of a kind that is served: AF_UNIX SOCK_STREAM, "
                        "AF_UNIX SOCK_SEQPACKET, or TCP";
  io::unique_fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  CAF_CHECK_EQUAL(found_with({socket.get()}), "socket activation: descriptor 3" + refusal);
  io::unique_fd file{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  auto stream = unix_socket(SOCK_STREAM);
  CAF_CHECK_EQUAL(found_with({stream.get(), file.get()}),
                  "socket activation: descriptor 4" + refusal);
}

CAF_TEST(nonsense in the environment is refused) {
  auto said = found_with({}, [] { ::setenv("LISTEN_FDS", "many", 1); });
  CAF_CHECK_EQUAL(said, "socket activation: Invalid argument");
}

CAF_TEST_FIXTURE_SCOPE_END()
