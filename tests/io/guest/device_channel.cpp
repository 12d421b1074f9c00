// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/device_channel.hpp"

#include "crosvisor/io/vsock/service_protocol.hpp"
#include "crosvisor/tests/io/guest/sockets.hpp"

#include <caf/test/dsl.hpp>

#include <vector>

#undef CAF_SUITE
#define CAF_SUITE io.guest.device_channel

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using vsock::channel_message;
using vsock::message_kind;

namespace {

struct opened {
  std::uint32_t port;
  stream_socket socket;
};

struct answer {
  int code = 0;
  std::string what;
  stream_socket socket;
};

struct fixture {
  holdings before;
  std::shared_ptr<event_loop> loop = make_shared_loop("test-device");
  unique_fd device; // The device's end.
  mailbox<opened> openings;
  mailbox<answer> answers;
  std::shared_ptr<device_channel> channel = make();

  std::shared_ptr<device_channel> make() {
    auto pair = make_device_pair();
    CAF_REQUIRE(pair);
    device = std::move(pair->first);
    auto made = device_channel::make(*loop, std::move(pair->second),
                                     [this](std::uint32_t port, stream_socket socket) {
                                       openings.put({port, std::move(socket)});
                                     });
    CAF_REQUIRE(made);
    return *made;
  }

  channel_message heard() {
    channel_message message;
    pollfd ready{device.get(), POLLIN, 0};
    auto bound_ms = static_cast<int>(std::chrono::milliseconds{patience}.count());
    CAF_REQUIRE_EQUAL(::poll(&ready, 1, bound_ms), 1);
    CAF_REQUIRE_EQUAL(::recv(device.get(), &message, sizeof(message), 0),
                      static_cast<ssize_t>(sizeof(message)));
    return message;
  }

  void tell(const channel_message& message, std::vector<int> fds = {},
            std::size_t bytes = sizeof(channel_message)) {
    auto copy = message;
    iovec data{&copy, bytes};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 2)] = {};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    if (!fds.empty()) {
      header.msg_control = control;
      header.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
      auto* part = CMSG_FIRSTHDR(&header);
      part->cmsg_level = SOL_SOCKET;
      part->cmsg_type = SCM_RIGHTS;
      part->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
      std::memcpy(CMSG_DATA(part), fds.data(), sizeof(int) * fds.size());
    }
    CAF_CHECK_EQUAL(::sendmsg(device.get(), &header, MSG_NOSIGNAL), static_cast<ssize_t>(bytes));
  }

  void connect(std::uint32_t port, std::chrono::milliseconds bound = std::chrono::seconds{5}) {
    channel->connect(port, bound, [this](result<stream_socket> got) {
      if (got)
        answers.put({0, "", *got});
      else
        answers.put({got.why().code, got.why().what, nullptr});
    });
  }

  int nth_code(std::size_t n) { return answers.wait(n)[n - 1].code; }

  bool is_closed() { return read_all(device).empty(); }
};

channel_message message(message_kind kind, std::uint32_t id = 0, std::uint32_t port = 0,
                        int error = 0) {
  channel_message made;
  made.kind = kind;
  made.id = id;
  made.port = port;
  made.error = error;
  return made;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(device_channel_tests, fixture)

CAF_TEST(ports are told) {
  channel->listen(3000);
  auto told = heard();
  CAF_CHECK(told.kind == message_kind::listen);
  CAF_CHECK_EQUAL(told.port, 3000u);
}

CAF_TEST(what the guest opens comes with its socket) {
  connected_pair guest;
  tell(message(message_kind::opened, 0, 3000), {guest.near->get()});
  guest.near.reset();
  auto got = openings.wait(1);
  CAF_REQUIRE_EQUAL(got.size(), 1u);
  CAF_CHECK_EQUAL(got[0].port, 3000u);
  CAF_CHECK(say(*got[0].socket, "hello"));
  CAF_CHECK_EQUAL(read_some(guest.far, 5), "hello");
}

CAF_TEST(a connection is asked for and answered) {
  connect(7, std::chrono::milliseconds{1500});
  auto asked = heard();
  CAF_CHECK(asked.kind == message_kind::connect);
  CAF_CHECK_EQUAL(asked.port, 7u);
  CAF_CHECK_EQUAL(asked.timeout_ms, 1500u);
  CAF_CHECK_NOT_EQUAL(asked.id, 0u);
  connected_pair guest;
  tell(message(message_kind::connected, asked.id), {guest.near->get()});
  auto got = answers.wait(1);
  CAF_CHECK_EQUAL(got[0].code, 0);
  CAF_CHECK(got[0].socket != nullptr);
}

CAF_TEST(refusals carry their reason and answers find their questions) {
  connect(7);
  connect(8);
  auto first = heard(), second = heard();
  tell(message(message_kind::refused, second.id, 0, ECONNREFUSED));
  tell(message(message_kind::refused, first.id, 0, ETIMEDOUT));
  auto got = answers.wait(2);
  CAF_CHECK_EQUAL(got[0].code, ECONNREFUSED);
  CAF_CHECK_EQUAL(got[0].what, "port 8: Connection refused");
  CAF_CHECK_EQUAL(got[1].code, ETIMEDOUT);
}

CAF_TEST(an answer that nobody asked for is dropped with its socket) {
  connected_pair guest;
  tell(message(message_kind::connected, 77), {guest.near->get()});
  guest.near.reset();
  CAF_CHECK_EQUAL(read_all(guest.far), "");
}

CAF_TEST(a device that is gone answers nobody and each is told) {
  connect(7);
  heard();
  device.reset();
  CAF_CHECK_EQUAL(nth_code(1), ENOTCONN);
  connect(7);
  CAF_CHECK_EQUAL(nth_code(2), ENOTCONN);
}

CAF_TEST(nonsense ends the channel) {
  connected_pair one, two;
  std::vector<std::function<void()>> nonsense{
    [&] { tell(message(message_kind::opened), {}, 4); },
    [&] { tell(message(message_kind::opened, 0, 3000)); },
    [&] { tell(message(message_kind::listen, 0, 3000)); },
    [&] { tell(message(static_cast<message_kind>(99))); },
    [&] {
      tell(message(message_kind::opened, 0, 1), {one.near->get(), two.near->get()});
    },
    [&] { tell(message(message_kind::connected, 1)); },
  };
  for (auto& speak : nonsense) {
    speak();
    CAF_CHECK(is_closed());
    channel = make();
  }
  CAF_CHECK_EQUAL(openings.wait(0).size(), 0u);
}

CAF_TEST(closing leaves nothing) {
  connect(7);
  heard();
  channel->close();
  CAF_CHECK_EQUAL(nth_code(1), ENOTCONN);
  CAF_CHECK(is_closed());
  channel = nullptr;
  device.reset();
  loop = nullptr;
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST_FIXTURE_SCOPE_END()
