// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_sockets.hpp"

#include "crosvisor/tests/io/in_child.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/socket.h>

#undef CAF_SUITE
#define CAF_SUITE service.daemon.daemon_sockets

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture {
  temp_dir dir;
  std::string path = dir / "d.sock";
  daemon_config config;

  fixture() { config.socket = path; }

  std::string problem(io::inherited_sockets inherited = {}) const {
    auto opened = open_daemon_sockets(config, std::move(inherited));
    return opened ? "none" : opened.why().what;
  }

  static io::inherited_sockets passed(io::unique_fd stream, io::unique_fd packet,
                                      const std::string& stream_path, io::unique_fd tcp = {}) {
    return {std::move(stream), std::move(packet), std::move(tcp), stream_path};
  }

  io::unique_fd listening(const std::string& name, int type = SOCK_STREAM) const {
    auto made = io::unix_listener::open({dir / "made", type, 0600, {}});
    CAF_REQUIRE(static_cast<bool>(made));
    // As systemd's, whose file nobody of us removes.
    std::filesystem::rename(dir / "made", dir / name);
    return made->take();
  }
};

int type_of(const io::unique_fd& socket) {
  int type = 0;
  socklen_t length = sizeof type;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &length);
  return type;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(daemon_sockets_tests, fixture)

CAF_TEST(a daemon opens its own and leaves nothing) {
  {
    auto opened = open_daemon_sockets(config, {});
    CAF_REQUIRE(static_cast<bool>(opened));
    CAF_CHECK_EQUAL(names_in(dir.path()), "d.sock d.sock.fds d.sock.lock");
    CAF_CHECK_EQUAL(type_of(opened->clients), static_cast<int>(SOCK_STREAM));
    CAF_CHECK_EQUAL(type_of(opened->descriptors), static_cast<int>(SOCK_SEQPACKET));
    CAF_CHECK(!opened->tls);
    CAF_CHECK_EQUAL(opened->path, path);
    opened->remove_files();
    CAF_CHECK_EQUAL(names_in(dir.path()), "d.sock.lock");
  }
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
}

CAF_TEST(both have the configured mode) {
  config.socket_mode = 0640;
  auto opened = open_daemon_sockets(config, {});
  CAF_REQUIRE(static_cast<bool>(opened));
  for (std::string name : {"d.sock", "d.sock.fds"}) {
    struct stat is {};
    ::lstat((dir / name).c_str(), &is);
    CAF_CHECK_EQUAL(is.st_mode & 07777u, 0640u);
  }
}

CAF_TEST(a second daemon is refused with a sentence) {
  auto opened = open_daemon_sockets(config, {});
  CAF_REQUIRE(static_cast<bool>(opened));
  auto in_use = "\"" + path + "\" is in use by process " + std::to_string(::getpid());
  CAF_CHECK_EQUAL(said_in_child([&] { return problem(); }), in_use);
  // Also where the socket itself is gone.
  opened->remove_files();
  CAF_CHECK_EQUAL(said_in_child([&] { return problem(); }), in_use);
}

CAF_TEST(what a killed daemon left is replaced) {
  auto said = said_in_child([&] {
    auto opened = open_daemon_sockets(config, {});
    ::kill(::getpid(), SIGKILL);
    return std::string{"lives"};
  });
  CAF_CHECK_EQUAL(said, "");
  CAF_CHECK_EQUAL(names_in(dir.path()), "d.sock d.sock.fds d.sock.lock");
  CAF_CHECK_EQUAL(problem(), "none");
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
}

CAF_TEST(a failure leaves nothing) {
  dir.write("d.sock.fds", "precious");
  CAF_CHECK(problem().find("something else is there") != std::string::npos);
  CAF_CHECK_EQUAL(names_in(dir.path()), "d.sock.fds");
}

CAF_TEST(passed sockets are used and their files stay) {
  {
    auto opened = open_daemon_sockets(
      config, passed(listening("a.sock"), listening("a.fds", SOCK_SEQPACKET), dir / "a.sock"));
    CAF_REQUIRE(static_cast<bool>(opened));
    CAF_CHECK_EQUAL(opened->path, dir / "a.sock");
    CAF_CHECK(opened->clients && opened->descriptors);
    CAF_CHECK(std::filesystem::exists(dir / "a.sock.lock"));
    opened->remove_files();
  }
  CAF_CHECK(std::filesystem::exists(dir / "a.sock"));
  CAF_CHECK(std::filesystem::exists(dir / "a.fds"));
  CAF_CHECK(!std::filesystem::exists(dir / "a.sock.lock"));
  CAF_CHECK(!std::filesystem::exists(path));
}

CAF_TEST(a descriptor socket that was not passed is opened beside the other) {
  auto opened = open_daemon_sockets(config, passed(listening("a.sock"), {}, dir / "a.sock"));
  CAF_REQUIRE(static_cast<bool>(opened));
  CAF_CHECK_EQUAL(type_of(opened->descriptors), static_cast<int>(SOCK_SEQPACKET));
  CAF_CHECK(std::filesystem::exists(dir / "a.sock.fds"));
}

CAF_TEST(sockets that do not belong together are refused) {
  CAF_CHECK_EQUAL(problem(passed({}, listening("a.fds", SOCK_SEQPACKET), "")),
                  "socket activation: a SOCK_SEQPACKET socket was passed without the SOCK_STREAM "
                  "one beside it");
  CAF_CHECK_EQUAL(
    problem(passed(listening("b.sock"), {}, "")),
    "socket activation: the SOCK_STREAM socket has no path, so the SOCK_SEQPACKET one "
    "beside it must be passed too");
  auto tcp = io::listen_tcp("127.0.0.1", 0);
  CAF_REQUIRE(static_cast<bool>(tcp));
  CAF_CHECK_EQUAL(problem(passed({}, {}, "", std::move(*tcp))),
                  "socket activation: a TCP socket was passed, and the configuration has no "
                  "\"tls\"");
  CAF_CHECK(!std::filesystem::exists(path));
}

CAF_TEST(other hosts are served where the configuration says so) {
  auto taken = io::listen_tcp("127.0.0.1", 0);
  CAF_REQUIRE(static_cast<bool>(taken));
  auto& tls = config.tls.emplace();
  tls.address = "127.0.0.1"; // Port 0: a free one.
  auto opened = open_daemon_sockets(config, {});
  CAF_REQUIRE(static_cast<bool>(opened));
  CAF_CHECK(static_cast<bool>(opened->tls));
  auto number = taken->get();
  config.socket = dir / "e.sock";
  auto given = open_daemon_sockets(config, passed({}, {}, "", std::move(*taken)));
  CAF_REQUIRE(static_cast<bool>(given));
  CAF_CHECK_EQUAL(given->tls.get(), number);
}

CAF_TEST_FIXTURE_SCOPE_END()
