// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/guest/vsock/stream.hpp"

#include "crosvisor/guest/vsock/pattern.hpp"
#include "crosvisor/tests/guest/vsock/socket_pair.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <vector>

#undef CAF_SUITE
#define CAF_SUITE guest.vsock.stream

using namespace crosvisor::guest;
using crosvisor::tests::socket_pair;

namespace {

int run_shell(std::string script, int output = -1) {
  std::vector<std::string> words{"sh", "-c", std::move(script)};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  return run_program(arguments, output);
}

} // namespace

CAF_TEST(a program writes to the descriptor and its exit code is told) {
  socket_pair ends;
  CAF_CHECK_EQUAL(run_shell("echo hello; exit 3", ends.guest), 3);
  ends.close_guest();
  CAF_CHECK_EQUAL(ends.read_all(), "hello\n");
}

CAF_TEST(a program that a signal ends has its number and 128) {
  CAF_CHECK_EQUAL(run_shell("kill -KILL $$"), 128 + SIGKILL);
}

CAF_TEST(a program is not told to ignore broken pipes) {
  auto before = std::signal(SIGPIPE, SIG_IGN);
  CAF_CHECK_EQUAL(run_shell("kill -PIPE $$"), 128 + SIGPIPE);
  std::signal(SIGPIPE, before);
}

CAF_TEST(a program that is not there has 127) {
  std::string name = "/no/such/program";
  char* arguments[] = {name.data(), nullptr};
  CAF_CHECK_EQUAL(run_program(arguments, -1), 127);
}

CAF_TEST(a copy ends with its input) {
  socket_pair from, to;
  from.write_some("some text");
  from.end_host();
  CAF_CHECK(copy(from.guest, to.guest));
  to.close_guest();
  CAF_CHECK_EQUAL(to.read_all(), "some text");
}

CAF_TEST(a copy to nobody fails) {
  socket_pair from, to;
  from.write_some("some text");
  to.close_host();
  CAF_CHECK(!copy(from.guest, to.guest));
  CAF_CHECK_EQUAL(errno, EPIPE);
}

CAF_TEST(the pattern goes out whole) {
  constexpr std::uint64_t size = 1'000'001;
  socket_pair ends;
  std::thread guest{[&] {
    send_pattern(ends.guest, size);
    ends.close_guest();
  }};
  auto got = ends.read_all();
  guest.join();
  CAF_REQUIRE_EQUAL(got.size(), size);
  auto same = true;
  for (std::size_t at = 0; at < size; at += pattern::period)
    same = same
           && std::memcmp(shared_pattern().at(0).data(), got.data() + at,
                          std::min(pattern::period, size - at))
                == 0;
  CAF_CHECK(same);
}

CAF_TEST(a close waits for that of the host and drops what it sends) {
  socket_pair ends;
  std::thread host{[&] {
    ends.read_all();
    ends.write_some("too late");
    ends.close_host();
  }};
  CAF_CHECK(close_and_wait(ends.guest));
  host.join();
  CAF_CHECK(ends.ended());
}

CAF_TEST(a host that does not close is not waited for for ever) {
  socket_pair ends;
  ends.write_some("a host that goes on");
  CAF_CHECK(!close_and_wait(ends.guest, 20));
  CAF_CHECK_EQUAL(errno, ETIMEDOUT);
}
