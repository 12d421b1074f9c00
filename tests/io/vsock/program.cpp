// SPDX-License-Identifier: Apache-2.0
// The real program in its sandbox: a call that its filter lacks kills it here.
#include "crosvisor/tests/io/vsock/front_end.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.program

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

constexpr int first_fd = 100;
constexpr int second_fd = 101;

struct child {
  // The descriptors are 100 and 101 there; both are closed here.
  child(std::vector<std::string> arguments, io::unique_fd vmm, io::unique_fd service) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, vmm.get(), first_fd);
    posix_spawn_file_actions_adddup2(&actions, service.get(), second_fd);
    arguments.insert(arguments.begin(), CROSVISOR_VSOCK);
    std::vector<char*> argv;
    for (auto& argument : arguments)
      argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (::posix_spawn(&pid, CROSVISOR_VSOCK, &actions, nullptr, argv.data(), environ) != 0)
      pid = -1;
    posix_spawn_file_actions_destroy(&actions);
  }

  // Its wait status, as the program ends by itself; the test's own bound ends it otherwise.
  int status() const {
    int found = -1;
    ::waitpid(pid, &found, 0);
    return found;
  }

  pid_t pid = -1;
};

struct fixture : front_end {
  child start(std::vector<std::string> arguments = {"--cid", "42", "--vmm-fd", "100",
                                                    "--service-fd", "101"}) {
    return {std::move(arguments), std::move(vmm_peer), std::move(service_peer)};
  }

  // Bytes of a socket that come within the bound, `count` of them.
  static std::string read(int fd, std::size_t count) {
    std::string all;
    pollfd entry{fd, POLLIN, 0};
    while (all.size() < count && ::poll(&entry, 1, 20'000) == 1) {
      auto part = read_some(fd, count - all.size());
      if (part.empty())
        break;
      all += part;
    }
    return all;
  }

  static bool ends(int fd) {
    pollfd entry{fd, POLLIN, 0};
    char byte;
    return ::poll(&entry, 1, 20'000) == 1 && ::recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(vsock_program, fixture)

CAF_TEST(a whole exchange passes the sandbox) {
  auto program = start();
  start_like_qemu();
  post_buffers(64);
  // Refused, opened, data both ways, half-close, close.
  send_packet(header(packet_op::request, 7, 7));
  CAF_CHECK(next_op() == packet_op::rst);
  auto host = guest_connects(1000, 5000);
  send_packet(header(packet_op::rw, 1000, 5000), "question");
  CAF_CHECK_EQUAL(read(host.get(), 8), "question");
  ::send(host.get(), "answer", 6, MSG_NOSIGNAL);
  CAF_CHECK_EQUAL(packet().payload, "answer");
  auto end = header(packet_op::shutdown, 1000, 5000);
  end.flags = 2;
  send_packet(end);
  CAF_CHECK(ends(host.get()));
  host.reset();
  CAF_CHECK_EQUAL(packet().header.flags, 3u);
  send_packet(header(packet_op::rst, 1000, 5000));
  // The host connects; and is refused.
  tell(message_kind::connect, 77, 9);
  auto request = packet();
  CAF_CHECK(request.header.op == packet_op::request);
  send_packet(header(packet_op::response, request.header.src_port, 77));
  auto connected = letter();
  CAF_CHECK(connected.message.kind == message_kind::connected);
  tell(message_kind::connect, 78, 10, 50);
  CAF_CHECK_EQUAL(letter().message.error, ETIMEDOUT);
  // More than the socket holds: buffers, stalls, an update once the host reads.
  constexpr std::size_t bulk = 240 * 1024;
  for (std::size_t i = 0; i < 4; ++i)
    send_packet(header(packet_op::rw, request.header.src_port, 77), std::string(bulk / 4, 'b'));
  CAF_CHECK_EQUAL(read(connected.carried.get(), bulk).size(), bulk);
  // Pause, a changed memory table, resume.
  auto bases = stop_like_qemu();
  restart_like_qemu(bases);
  set_memory(9);
  CAF_CHECK_EQUAL(reply_u64(), 0u);
  send_packet(header(packet_op::rw, request.header.src_port, 77), "resumed");
  CAF_CHECK_EQUAL(read(connected.carried.get(), 7), "resumed");
  vmm.reset();
  CAF_CHECK(ends(connected.carried.get()));
  CAF_CHECK_EQUAL(program.status(), 0);
}

CAF_TEST(a buffered rest is flushed when the VMM dies) {
  auto program = start();
  start_like_qemu();
  post_buffers(64);
  auto host = guest_connects(1000, 5000);
  constexpr std::size_t size = 256 * 1024;
  for (std::size_t i = 0; i < 4; ++i)
    send_packet(header(packet_op::rw, 1000, 5000), std::string(size / 4, 'b'));
  vmm.reset();
  CAF_CHECK_EQUAL(read(host.get(), size).size(), size);
  CAF_CHECK(ends(host.get()));
  CAF_CHECK_EQUAL(program.status(), 0);
}

CAF_TEST(the end of the service ends the program) {
  auto program = start();
  service.reset();
  CAF_CHECK_EQUAL(program.status(), 0);
}

CAF_TEST(a broken protocol is exit code 1) {
  auto program = start();
  send(1, nullptr, 0, {}, 2);
  CAF_CHECK_EQUAL(WEXITSTATUS(program.status()), 1);
}

CAF_TEST(wrong options are exit code 2) {
  auto program = start({"--cid", "2", "--vmm-fd", "100", "--service-fd", "101"});
  CAF_CHECK_EQUAL(WEXITSTATUS(program.status()), 2);
  front_end other;
  child swapped{{"--cid", "42", "--vmm-fd", "101", "--service-fd", "100"},
                std::move(other.vmm_peer),
                std::move(other.service_peer)};
  CAF_CHECK_EQUAL(WEXITSTATUS(swapped.status()), 2);
}

CAF_TEST_FIXTURE_SCOPE_END()
