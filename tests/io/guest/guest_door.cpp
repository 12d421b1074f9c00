// SPDX-License-Identifier: Apache-2.0
// The kernel's vsock, played by AF_UNIX sockets with addresses of the abstract namespace: there is
// no AF_VSOCK connection to be had without a guest. What AF_VSOCK itself allows here is tried too.
#include "crosvisor/io/guest/guest_door.hpp"

#include "crosvisor/io/guest/device_channel.hpp"
#include "crosvisor/io/guest/kernel_listener.hpp"
#include "crosvisor/io/vsock/service_protocol.hpp"
#include "crosvisor/tests/io/guest/sockets.hpp"

#include <caf/test/dsl.hpp>

#include <sys/un.h>

#include <linux/vm_sockets.h>

#include <atomic>
#include <optional>

#undef CAF_SUITE
#define CAF_SUITE io.guest.guest_door

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

sockaddr_un address_of(std::uint32_t port, socklen_t& length) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto name = "crosvisor-test-" + std::to_string(::getpid()) + '-' + std::to_string(port);
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}

int listen_at(std::uint32_t port) {
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  socklen_t length = 0;
  auto address = address_of(port, length);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0
      || ::listen(fd.get(), 8) != 0)
    return -errno;
  return fd.release();
}

unique_fd connect_to(std::uint32_t port) {
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  socklen_t length = 0;
  auto address = address_of(port, length);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0)
    fd.reset();
  return fd;
}

struct loss {
  std::uint32_t port;
  std::string what;
};

struct fixture {
  holdings before;
  std::optional<event_loop> loop{std::in_place, "test-door"};
  std::atomic<int> accept_error{0};
  std::atomic<int> accepts{0};
  mailbox<guest_connection> connections;
  mailbox<loss> losses;
  std::shared_ptr<guest_door> door = std::make_shared<guest_door>(
    std::shared_ptr<event_loop>{std::shared_ptr<void>{}, &*loop}, calls());

  vsock_calls calls() {
    return {listen_at, [this](int listener, vm_cid& peer) {
              ++accepts;
              if (auto error = accept_error.exchange(0); error != 0)
                return -error;
              auto fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
              peer = 2050;
              return fd < 0 ? -errno : fd;
            }};
  }

  ~fixture() {
    door = nullptr;
    loop.reset();
    connections.clear();
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }

  void open() {
    door->open({[this](guest_connection c) { connections.put(std::move(c)); },
                [this](std::uint32_t port, std::string what) {
                  losses.put({port, std::move(what)});
                }});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(guest_door_tests, fixture)

CAF_TEST(the kernel says who connects) {
  open();
  CAF_REQUIRE(door->listen(3000));
  auto guest = connect_to(3000);
  CAF_REQUIRE(guest);
  auto got = connections.wait(1);
  CAF_REQUIRE_EQUAL(got.size(), 1u);
  CAF_CHECK_EQUAL(got[0].cid, 2050u);
  CAF_CHECK_EQUAL(got[0].port, 3000u);
  CAF_CHECK(say(guest, "hello"));
  CAF_CHECK_EQUAL(read_some(*got[0].socket, 5), "hello");
}

CAF_TEST(a port that is taken is an error and can be tried again) {
  open();
  unique_fd other{listen_at(3000)};
  auto refused = door->listen(3000);
  CAF_REQUIRE(!refused);
  CAF_CHECK_EQUAL(refused.why().code, EADDRINUSE);
  CAF_CHECK_EQUAL(refused.why().what, "vsock port 3000: Address already in use");
  other.reset();
  CAF_CHECK(door->listen(3000));
  CAF_CHECK(door->listen(3000));
  CAF_CHECK(connect_to(3000));
}

CAF_TEST(a host that is out of descriptors makes guests wait and loses none) {
  open();
  CAF_REQUIRE(door->listen(3000));
  accept_error = EMFILE;
  auto guest = connect_to(3000);
  CAF_CHECK_EQUAL(connections.wait(1).size(), 1u);
  CAF_CHECK_EQUAL(losses.wait(0).size(), 0u);
  CAF_CHECK_GREATER_OR_EQUAL(accepts.load(), 2);
}

CAF_TEST(a listener that breaks is told and can be made again) {
  open();
  CAF_REQUIRE(door->listen(3000));
  accept_error = EINVAL;
  auto guest = connect_to(3000);
  auto lost = losses.wait(1);
  CAF_REQUIRE_EQUAL(lost.size(), 1u);
  CAF_CHECK_EQUAL(lost[0].port, 3000u);
  CAF_CHECK_EQUAL(lost[0].what, "vsock port 3000: accept: Invalid argument");
  CAF_REQUIRE(door->listen(3000));
  auto again = connect_to(3000);
  CAF_CHECK_EQUAL(connections.wait(1).size(), 1u);
}

CAF_TEST(devices are told of ports sooner and later) {
  open();
  CAF_REQUIRE(door->listen(3000));
  auto pair = make_device_pair();
  CAF_REQUIRE(pair);
  auto channel = device_channel::make(*loop, std::move(pair->second), nullptr);
  CAF_REQUIRE(channel);
  door->add(*channel);
  CAF_REQUIRE(door->listen(5000));
  vsock::channel_message told[2];
  for (auto& message : told)
    CAF_REQUIRE_EQUAL(::recv(pair->first.get(), &message, sizeof(message), 0),
                      static_cast<ssize_t>(sizeof(message)));
  CAF_CHECK_EQUAL(told[0].port, 3000u);
  CAF_CHECK_EQUAL(told[1].port, 5000u);
  (*channel)->close();
}

CAF_TEST(a closed door takes nothing) {
  connected_pair early, late;
  door->deliver({2048, 3000, std::exchange(early.near, nullptr)});
  CAF_CHECK_EQUAL(read_all(early.far), "");
  open();
  CAF_REQUIRE(door->listen(3000));
  door->close();
  door->deliver({2048, 3000, std::exchange(late.near, nullptr)});
  CAF_CHECK_EQUAL(read_all(late.far), "");
  CAF_CHECK_EQUAL(connections.wait(0).size(), 0u);
}

CAF_TEST(the real AF_VSOCK as far as this host has it) {
  unique_fd probe{::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!probe) {
    CAF_MESSAGE("skipped: no AF_VSOCK here: " << std::strerror(errno));
    CAF_CHECK_NOT_EQUAL(errno, 0);
    return;
  }
  auto calls = kernel_vsock_calls();
  unique_fd listener{calls.listen(61'234)};
  CAF_MESSAGE("a port of the host: " << (listener ? "bound" : "not bound"));
  if (listener) {
    CAF_CHECK_EQUAL(calls.listen(61'234), -EADDRINUSE);
    vm_cid peer = no_cid;
    CAF_CHECK_EQUAL(calls.accept(listener.get(), peer), -EAGAIN);
  }
  mailbox<int> codes;
  connect_kernel_vsock(*loop, 54'321, 7, std::chrono::seconds{2},
                       [&](result<stream_socket> got) { codes.put(got ? 0 : got.why().code); });
  auto code = codes.wait(1);
  CAF_REQUIRE_EQUAL(code.size(), 1u);
  CAF_CHECK_NOT_EQUAL(code[0], 0); // No guest has that CID.
  CAF_MESSAGE("to no guest: " << std::strerror(code[0]));
}

CAF_TEST_FIXTURE_SCOPE_END()
