// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/foreign_descriptor.hpp"

#include "crosvisor/tests/io/tickets/door_fixture.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#undef CAF_SUITE
#define CAF_SUITE io.tickets.foreign_descriptor

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr auto named = "is a socket that is not connected to an unnamed one; pass a pipe or one of "
                       "a socketpair(2)";
constexpr auto other_kind = "is a socket of a kind that is not taken; pass a pipe";

std::string problem(int fd) {
  return descriptor_problem(fd).value_or("");
}

std::string problem(const std::string& path, int flags) {
  unique_fd fd{::open(path.c_str(), flags | O_CLOEXEC)};
  return fd ? problem(fd.get()) : "can't be opened";
}

unique_fd socket_of(int domain, int type) {
  return unique_fd{::socket(domain, type | SOCK_CLOEXEC, 0)};
}

} // namespace

CAF_TEST(files directories devices and pipes are taken) {
  temp_dir dir;
  CAF_CHECK_EQUAL(problem(dir.path(), O_RDONLY), "");
  auto file = dir.write("file", "x");
  CAF_CHECK_EQUAL(problem(file, O_RDONLY), "");
  CAF_CHECK_EQUAL(problem(file, O_RDWR), "");
  CAF_CHECK_EQUAL(problem("/dev/null", O_RDWR), "");
  CAF_REQUIRE_EQUAL(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  CAF_CHECK_EQUAL(problem(dir / "fifo", O_RDONLY | O_NONBLOCK), "");
  pipe_ends pipe;
  CAF_CHECK_EQUAL(problem(pipe.writer.get()), "");
  unique_fd memory{::memfd_create("x", MFD_CLOEXEC)};
  CAF_CHECK_EQUAL(problem(memory.get()), "");
  unique_fd terminal{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  if (terminal)
    CAF_CHECK_EQUAL(problem(terminal.get()), "");
  else
    CAF_MESSAGE("skipped: no terminal can be made here");
  // It is the client's right to have followed a link before.
  std::filesystem::create_symlink(file, dir / "link");
  CAF_CHECK_EQUAL(problem(dir / "link", O_RDONLY), "");
}

CAF_TEST(a block device is taken) {
  unique_fd device{::open("/dev/loop0", O_RDONLY | O_CLOEXEC)};
  if (device)
    CAF_CHECK_EQUAL(problem(device.get()), "");
  else
    CAF_MESSAGE("skipped: no block device can be opened here: " << std::strerror(errno));
  CAF_CHECK(true);
}

CAF_TEST(names and what is no file are refused) {
  temp_dir dir;
  auto file = dir.write("file", "x");
  constexpr auto only_named = "only names a file (O_PATH), and is not open";
  CAF_CHECK_EQUAL(problem(file, O_PATH), only_named);
  CAF_CHECK_EQUAL(problem(dir.path(), O_PATH), only_named);
  std::filesystem::create_symlink(file, dir / "link");
  CAF_CHECK_EQUAL(problem(dir / "link", O_PATH | O_NOFOLLOW), only_named);
  CAF_CHECK_EQUAL(problem(-1), only_named);
  constexpr auto nothing = "is neither a file, a device, a pipe nor a socket";
  unique_fd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  CAF_CHECK_EQUAL(problem(epoll.get()), nothing);
  unique_fd event{::eventfd(0, EFD_CLOEXEC)};
  CAF_CHECK_EQUAL(problem(event.get()), nothing);
}

CAF_TEST(a link that a client opened leads to what it leads to) {
  temp_dir dir;
  unique_fd folder{::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  CAF_CHECK_EQUAL(problem("/proc/self/fd/" + std::to_string(folder.get()), O_RDONLY), "");
}

CAF_TEST(of Unix sockets the unnamed pairs are taken) {
  for (auto type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    int ends[2];
    CAF_REQUIRE_EQUAL(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
    unique_fd one{ends[0]}, other{ends[1]};
    CAF_CHECK_EQUAL(problem(one.get()), "");
    auto unconnected = socket_of(AF_UNIX, type);
    CAF_CHECK_EQUAL(problem(unconnected.get()), named);
  }
}

CAF_TEST(a socket that speaks with a service of the host is refused) {
  temp_dir dir;
  auto listening = door_fixture::listen_at(dir / "socket");
  CAF_CHECK_EQUAL(problem(listening.get()), "is a listening socket");
  auto client = socket_of(AF_UNIX, SOCK_SEQPACKET);
  auto address = door_fixture::address_of(dir / "socket");
  auto* at = reinterpret_cast<sockaddr*>(&address);
  CAF_REQUIRE_EQUAL(::connect(client.get(), at, sizeof(address)), 0);
  CAF_CHECK_EQUAL(problem(client.get()), named);
  // The listener's end, whose peer has no name, is the client's own.
  unique_fd accepted{::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  CAF_CHECK_EQUAL(problem(accepted.get()), "");
}

CAF_TEST(a socket that can be connected elsewhere later is refused) {
  int ends[2];
  CAF_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
  unique_fd one{ends[0]}, other{ends[1]};
  CAF_CHECK_EQUAL(problem(one.get()), other_kind);
  for (auto domain : {AF_UNIX, AF_INET, AF_NETLINK}) {
    auto datagrams = socket_of(domain, SOCK_DGRAM);
    CAF_CHECK_EQUAL(problem(datagrams.get()), other_kind);
  }
}

CAF_TEST(a stream to the network is taken) {
  slow_to_close stream;
  CAF_CHECK_EQUAL(problem(stream.own.get()), "");
  stream.peer.reset();
}
