// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/listening_socket.hpp"

#include "crosvisor/tests/io/in_child.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <optional>

#undef CAF_SUITE
#define CAF_SUITE io.listening_socket

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture {
  temp_dir dir;
  std::string path = dir / "d.sock";

  io::result<io::unix_listener> open(mode_t mode = 0600) const {
    return io::unix_listener::open({path, SOCK_STREAM, mode, {}});
  }

  std::string problem() const {
    auto made = open();
    return made ? "none" : made.why().what;
  }

  int connect(int type = SOCK_STREAM) const {
    io::unique_fd client{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    auto* where = reinterpret_cast<const sockaddr*>(&address);
    return ::connect(client.get(), where, sizeof address) == 0 ? 0 : errno;
  }

  struct stat file() const {
    struct stat is {};
    CAF_REQUIRE_EQUAL(::lstat(path.c_str(), &is), 0);
    return is;
  }
};

std::uint16_t port_of(const io::unique_fd& socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(listening_socket_tests, fixture)

CAF_TEST(clients connect and the file goes with its owner) {
  {
    auto made = open();
    CAF_REQUIRE(static_cast<bool>(made));
    CAF_CHECK_EQUAL(connect(), 0);
    auto socket = made->take();
    CAF_CHECK((::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CAF_CHECK((::fcntl(socket.get(), F_GETFL) & O_NONBLOCK) != 0);
    CAF_CHECK_EQUAL(connect(), 0);
  }
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
}

CAF_TEST(the mode is what was asked for whatever the umask is) {
  for (mode_t mask : {mode_t{0}, mode_t{077}}) {
    auto before = ::umask(mask);
    for (mode_t mode : {mode_t{0600}, mode_t{0660}, mode_t{0666}}) {
      auto made = open(mode);
      CAF_REQUIRE(static_cast<bool>(made));
      CAF_CHECK_EQUAL(file().st_mode & 07777u, mode);
    }
    CAF_CHECK_EQUAL(::umask(before), mask);
  }
}

CAF_TEST(the group is what was asked for) {
  auto gid = ::geteuid() == 0 ? gid_t{12345} : ::getegid();
  if (::geteuid() != 0)
    CAF_MESSAGE("not root: another group than one's own was not tried");
  auto made = io::unix_listener::open({path, SOCK_SEQPACKET, 0660, gid});
  CAF_REQUIRE(static_cast<bool>(made));
  CAF_CHECK_EQUAL(file().st_gid, gid);
  CAF_CHECK_EQUAL(file().st_uid, ::geteuid());
  CAF_CHECK_EQUAL(connect(SOCK_SEQPACKET), 0);
}

CAF_TEST(a stale socket is replaced) {
  auto said = said_in_child([&] {
    auto made = open();
    ::kill(::getpid(), SIGKILL);
    return std::string{"lives"};
  });
  CAF_CHECK_EQUAL(said, "");
  CAF_CHECK_EQUAL(names_in(dir.path()), "d.sock");
  CAF_CHECK_EQUAL(connect(), ECONNREFUSED);
  auto made = open();
  CAF_REQUIRE(static_cast<bool>(made));
  CAF_CHECK_EQUAL(connect(), 0);
}

CAF_TEST(a socket that somebody listens to is not ) {
  auto made = open();
  CAF_REQUIRE(static_cast<bool>(made));
  CAF_CHECK_EQUAL(problem(), "socket \"" + path + "\" is served by another process already");
  auto packets = io::unix_listener::open({path, SOCK_SEQPACKET, 0600, {}});
  CAF_CHECK(!packets);
  CAF_CHECK_EQUAL(connect(), 0);
}

CAF_TEST(what is no socket stays) {
  auto there = "socket \"" + path
               + "\": something else is there; remove it, or configure another "
                 "path";
  dir.write("d.sock", "precious");
  CAF_CHECK_EQUAL(problem(), there);
  CAF_CHECK_EQUAL(read_file(path), "precious");
  std::filesystem::remove(path);
  std::filesystem::create_symlink(dir / "elsewhere", path);
  CAF_CHECK_EQUAL(problem(), there);
  CAF_CHECK_EQUAL(names_in(dir.path()), "d.sock");
}

CAF_TEST(a symlink to a stale socket stays with what it names) {
  said_in_child([&] {
    auto made = open();
    ::_exit(0);
    return std::string{};
  });
  std::filesystem::rename(path, dir / "other.sock");
  std::filesystem::create_symlink(dir / "other.sock", path);
  CAF_CHECK(problem().find("something else is there") != std::string::npos);
  CAF_CHECK_EQUAL(names_in(dir.path()), "d.sock other.sock");
}

CAF_TEST(a file in its place by then is not removed) {
  {
    auto made = open();
    CAF_REQUIRE(static_cast<bool>(made));
    std::filesystem::remove(path);
    dir.write("d.sock", "other");
  }
  CAF_CHECK_EQUAL(read_file(path), "other");
}

CAF_TEST(the file can go first) {
  auto made = open();
  CAF_REQUIRE(static_cast<bool>(made));
  made->remove_file();
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
  auto next = open();
  CAF_REQUIRE(static_cast<bool>(next));
  made->remove_file();
  CAF_CHECK_EQUAL(names_in(dir.path()), "d.sock");
}

CAF_TEST(a directory that others can write is refused) {
  auto folder = dir / "open";
  std::filesystem::create_directory(folder);
  path = folder + "/d.sock";
  ::chmod(folder.c_str(), 0777);
  CAF_CHECK_EQUAL(problem(), "directory \"" + folder
                               + "\" can be written by others, who could replace the socket");
  ::chmod(folder.c_str(), 01777);
  CAF_CHECK_EQUAL(problem(), "none");
  ::chmod(folder.c_str(), 0755);
  CAF_CHECK_EQUAL(problem(), "none");
}

CAF_TEST(a directory of another user is refused) {
  if (::geteuid() != 0) {
    CAF_MESSAGE("skipped: not root");
    CAF_CHECK(true);
    return;
  }
  auto folder = dir / "theirs";
  std::filesystem::create_directory(folder);
  CAF_REQUIRE_EQUAL(::chown(folder.c_str(), 12345, 0), 0);
  path = folder + "/d.sock";
  CAF_CHECK_EQUAL(problem(), "directory \"" + folder
                               + "\" belongs to uid 12345, who could replace the socket");
}

CAF_TEST(paths are absolute and fit the kernel) {
  for (std::string wrong : {"", "d.sock", "/run/"}) {
    path = wrong;
    CAF_CHECK_EQUAL(problem(), "socket \"" + wrong + "\": not an absolute path of a file");
  }
  path = dir.path() + "/" + std::string(io::max_socket_path_bytes - dir.path().size() - 1, 'x');
  CAF_CHECK_EQUAL(problem(), "none");
  path += 'x';
  CAF_CHECK(problem().ends_with(": a path of 108 bytes; the kernel allows 107"));
  path = dir / "none/d.sock";
  CAF_CHECK_EQUAL(problem(), "directory \"" + dir.path() + "/none\": No such file or directory");
}

CAF_TEST(tcp sockets listen on their address) {
  auto made = io::listen_tcp("127.0.0.1", 0);
  CAF_REQUIRE(static_cast<bool>(made));
  auto port = port_of(*made);
  auto again = io::listen_tcp("127.0.0.1", port);
  CAF_REQUIRE(!again);
  CAF_CHECK_EQUAL(again.why().what,
                  "port " + std::to_string(port) + " of 127.0.0.1: Address already in use");
  CAF_CHECK_EQUAL(again.why().code, EADDRINUSE);
  auto name = io::listen_tcp("localhost", 0);
  CAF_REQUIRE(!name);
  CAF_CHECK_EQUAL(name.why().what, "\"localhost\" is no IPv4 or IPv6 address");
}

CAF_TEST(an ipv6 address leaves ipv4 alone) {
  auto v6 = io::listen_tcp("::1", 0);
  if (!v6) {
    CAF_MESSAGE("skipped, no IPv6 here: " << v6.why().what);
    CAF_CHECK_EQUAL(v6.why().code, EADDRNOTAVAIL);
    return;
  }
  int only = 0;
  socklen_t length = sizeof only;
  ::getsockopt(v6->get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, &length);
  CAF_CHECK_EQUAL(only, 1);
}

CAF_TEST_FIXTURE_SCOPE_END()
