// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/socket_rival.hpp"

#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/tests/system/guest_stream.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace crosvisor::bench {

namespace {

using tests::guest_stream;

void need_all(bool held) {
  if (!held)
    throw std::runtime_error("a socket pair lost something");
}

std::pair<guest_stream, guest_stream> make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    throw std::runtime_error(io::last_failure("socketpair").what);
  return {guest_stream{std::make_shared<io::unique_fd>(ends[0])},
          guest_stream{std::make_shared<io::unique_fd>(ends[1])}};
}

} // namespace

double socket_transfer(std::uint64_t bytes) {
  auto [here, there] = make_pair();
  auto began = now_ns();
  std::thread far{[&far_end = there, bytes] {
    far_end.send_pattern(bytes);
    far_end.half_close();
  }};
  auto got = here.discard(bytes);
  far.join();
  need_all(got == bytes);
  return seconds(now_ns() - began);
}

double socket_round_trip(int count) {
  auto [here, there] = make_pair();
  std::thread far{[&far_end = there, count] {
    for (auto i = 0; i < count; ++i)
      far_end.send(far_end.receive(1));
  }};
  auto began = now_ns();
  auto whole = 0;
  for (auto i = 0; i < count; ++i)
    whole += here.send("x") && here.receive(1) == "x" ? 1 : 0;
  auto took = seconds(now_ns() - began) / count;
  far.join();
  need_all(whole == count);
  return took;
}

double socket_connect(int count) {
  io::unique_fd listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t length = sizeof(address.sun_family); // The kernel chooses a name.
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) != 0
      || ::listen(listener.get(), 16) != 0)
    throw std::runtime_error(io::last_failure("unix socket").what);
  length = sizeof(address);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  std::thread far{[&] {
    std::vector<io::unique_fd> accepted;
    for (auto i = 0; i < count; ++i) {
      accepted.emplace_back(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      [[maybe_unused]] auto told = ::send(accepted.back().get(), "x", 1, MSG_NOSIGNAL);
    }
  }};
  std::vector<io::unique_fd> all;
  auto began = now_ns();
  auto whole = 0;
  for (auto i = 0; i < count; ++i) {
    char byte = 0;
    all.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    whole += ::connect(all.back().get(), reinterpret_cast<sockaddr*>(&address), length) == 0
                 && ::read(all.back().get(), &byte, 1) == 1
               ? 1
               : 0;
  }
  auto took = seconds(now_ns() - began) / count;
  far.join();
  need_all(whole == count);
  return took;
}

} // namespace crosvisor::bench
