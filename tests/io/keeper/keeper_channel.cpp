// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_channel.hpp"

#include "crosvisor/io/keeper/keeper_protocol.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"
#include "crosvisor/tests/io/guest/sockets.hpp"
#include "crosvisor/tests/io/leftovers.hpp"

#include "caf/test/dsl.hpp"

#include <fcntl.h>

#undef CAF_SUITE
#define CAF_SUITE io.keeper.channel

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

std::string said(const keeper_packet& packet) {
  return packet.text + (packet.bytes.empty() ? "" : "|" + packet.bytes) + "|"
         + std::to_string(packet.fds.size());
}

struct fixture {
  holdings before;
  std::unique_ptr<event_loop> loop = std::make_unique<event_loop>("keeper-test");
  mailbox<std::string> heard;
  connected_pair ends{SOCK_SEQPACKET};
  std::shared_ptr<keeper_channel> channel;

  ~fixture() {
    on_loop([this] {
      if (channel)
        channel->close();
    });
    channel = nullptr;
    loop = nullptr;
    ends.far.reset();
    ends.near = nullptr;
    CAF_CHECK_EQUAL(to_string(before), to_string(holdings{}));
  }

  /// Runs `task` on the loop's thread, and waits.
  template <class Task>
  void on_loop(Task task) {
    std::promise<void> done;
    loop->post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  void open() {
    on_loop([this] {
      auto made =
        keeper_channel::make(*loop, std::move(*ends.near),
                             {[this](keeper_packet packet) { heard.put(said(packet)); },
                              [this] { heard.put("end"); }, [this] { heard.put("drained"); }});
      CAF_REQUIRE(made);
      channel = *made;
    });
  }

  void send(std::string text, std::string bytes = {}, std::size_t fds = 0) {
    on_loop([&] {
      keeper_packet packet{std::move(text), std::move(bytes)};
      for (std::size_t i = 0; i < fds; ++i)
        packet.fds.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      channel->send(std::move(packet));
    });
  }

  /// What comes next at the far end; empty at its end.
  descriptor_packet receive() {
    pollfd ready{ends.far.get(), POLLIN, 0};
    ::poll(&ready, 1, 20'000);
    auto got = receive_packet(ends.far.get(), max_keeper_packet_bytes);
    return got ? std::move(*got) : descriptor_packet{};
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(keeper_channel_tests, fixture)

CAF_TEST(packets go out with their bytes and descriptors) {
  open();
  send(R"({"type":"chunk"})", std::string{"a\0b", 3}, 2);
  auto got = receive();
  CAF_CHECK_EQUAL(got.text, (std::string{"{\"type\":\"chunk\"}\0a\0b", 20}));
  CAF_CHECK_EQUAL(got.fds.size(), 2u);
}

CAF_TEST(packets come in with their bytes and descriptors) {
  open();
  int fd = STDIN_FILENO;
  CAF_REQUIRE(send_packet(ends.far.get(), "{}"));
  CAF_REQUIRE(send_packet(ends.far.get(), std::string_view{"{\"a\":1}\0xyz", 11}, &fd, 1));
  auto all = heard.wait(2);
  CAF_REQUIRE_EQUAL(all.size(), 2u);
  CAF_CHECK_EQUAL(all[0], "{}|0");
  CAF_CHECK_EQUAL(all[1], "{\"a\":1}|xyz|1");
}

CAF_TEST(what there is no room for waits and keeps its order) {
  open();
  std::string large(100'000, 'x');
  for (int i = 0; i < 40; ++i)
    send(std::to_string(i), large, 1);
  on_loop([this] { CAF_CHECK_GREATER(channel->waiting_bytes(), 1'000'000u); });
  for (int i = 0; i < 40; ++i) {
    auto got = receive();
    CAF_CHECK_EQUAL(got.text.substr(0, got.text.find('\0')), std::to_string(i));
    CAF_CHECK_EQUAL(got.fds.size(), 1u);
  }
  CAF_CHECK_EQUAL(heard.wait(1), std::vector<std::string>{"drained"});
  on_loop([this] { CAF_CHECK_EQUAL(channel->waiting_bytes(), 0u); });
}

CAF_TEST(a side that takes nothing is left in the end) {
  open();
  std::string large(100'000, 'x');
  for (int i = 0; i < 100; ++i)
    send("{}", large);
  CAF_CHECK_EQUAL(heard.wait(1), std::vector<std::string>{"end"});
  on_loop([this] { CAF_CHECK_EQUAL(channel->waiting_bytes(), 0u); });
}

CAF_TEST(so is one that takes no descriptors) {
  open();
  std::string large(100'000, 'x');
  for (int i = 0; i < 30; ++i)
    send("{}", i < 10 ? large : "", 32);
  CAF_CHECK_EQUAL(heard.wait(1), std::vector<std::string>{"end"});
}

CAF_TEST(what was said before the end is heard) {
  open();
  send("unread");
  on_loop([this] {
    CAF_REQUIRE(send_packet(ends.far.get(), "{\"n\":1}"));
    CAF_REQUIRE(send_packet(ends.far.get(), "{\"n\":2}"));
    ends.far.reset();
    channel->send({"{}", {}});
  });
  CAF_CHECK_EQUAL(heard.wait(3), (std::vector<std::string>{"{\"n\":1}|0", "{\"n\":2}|0", "end"}));
}

CAF_TEST(a packet that is too long ends the connection) {
  open();
  int size = 1 << 20;
  ::setsockopt(ends.far.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  CAF_REQUIRE(send_packet(ends.far.get(), std::string(max_keeper_packet_bytes + 1, ' ')));
  CAF_CHECK_EQUAL(heard.wait(1), std::vector<std::string>{"end"});
}

CAF_TEST(nothing is heard after close) {
  open();
  on_loop([this] {
    CAF_REQUIRE(send_packet(ends.far.get(), "{}"));
    channel->close();
    channel->send({"{}", {}});
  });
  CAF_CHECK_EQUAL(receive().text, "");
  on_loop([] {});
  CAF_CHECK(heard.wait_for([](auto&) { return true; }).empty());
}

CAF_TEST(what is no socket is refused and closed) {
  on_loop([this] {
    unique_fd pipe{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    CAF_CHECK(!keeper_channel::make(*loop, std::move(pipe), {}));
  });
}

CAF_TEST_FIXTURE_SCOPE_END()
