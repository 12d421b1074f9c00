// SPDX-License-Identifier: Apache-2.0
// Streams to guests' ports from other processes and hosts, whole: bytes, credit, ends.
#include "crosvisor/tests/service/stream_hosts.hpp"

#include <caf/test/dsl.hpp>

#include <atomic>

#undef CAF_SUITE
#define CAF_SUITE service.streams

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t much = 8u << 20;

/// Both transports, one after the other.
void over_both(const std::function<void(stream_host&, stream_peer&)>& what) {
  for (auto by : {way::unix_socket, way::tls}) {
    stream_host host{by};
    host.guests.serve = [](std::uint32_t, const io::unique_fd& socket) { echo(socket); };
    stream_peer peer{host};
    what(host, peer);
  }
}

} // namespace

CAF_TEST(bytes come back as they were sent) {
  over_both([](stream_host&, stream_peer& peer) {
    auto stream = peer.open();
    CAF_REQUIRE_EQUAL(stream.refused, "");
    auto sent = pattern(much);
    auto writing = std::async(std::launch::async, [&] {
      auto done = stream.write(sent);
      stream.end_writing();
      return done;
    });
    CAF_CHECK(stream.read() == sent);
    CAF_CHECK(writing.get());
    CAF_CHECK_EQUAL(stream.end(), "in order");
    CAF_CHECK_EQUAL(peer.streams(), 0u);
  });
}

CAF_TEST(each way ends by itself) {
  for (auto by : {way::unix_socket, way::tls}) {
    stream_host host{by};
    std::promise<std::string> heard;
    host.guests.serve = [&](std::uint32_t, const io::unique_fd& socket) {
      // The guest ends its way first, and goes on reading.
      say(socket, "greeting");
      ::shutdown(socket.get(), SHUT_WR);
      heard.set_value(client_stream::read_from(socket.get()));
    };
    stream_peer peer{host};
    auto stream = peer.open();
    CAF_CHECK_EQUAL(stream.read(), "greeting");
    auto sent = pattern(much / 4);
    CAF_CHECK(stream.write(sent));
    stream.end_writing();
    CAF_CHECK(heard.get_future().get() == sent);
    CAF_CHECK_EQUAL(stream.end(), "in order");
  }
}

CAF_TEST(a guest that hangs up ends the client s socket) {
  for (auto by : {way::unix_socket, way::tls}) {
    stream_host host{by};
    host.guests.serve = [&](std::uint32_t, const io::unique_fd& socket) { say(socket, "bye"); };
    stream_peer peer{host};
    auto stream = peer.open();
    CAF_CHECK_EQUAL(stream.read(), "bye");
    CAF_CHECK_EQUAL(stream.end(), "in order");
    CAF_CHECK(becomes([&] { return !stream.write("x"); }));
  }
}

CAF_TEST(a client that closes its socket ends the guest s) {
  over_both([](stream_host&, stream_peer& peer) {
    auto stream = peer.open();
    CAF_CHECK(stream.write("x"));
    CAF_CHECK_EQUAL(stream.read(1), "x");
    stream.socket.reset();
    CAF_CHECK_EQUAL(stream.end(), "in order");
    CAF_CHECK(becomes([&] { return peer.streams() == 0; }));
  });
}

CAF_TEST(a slow reader slows only itself) {
  over_both([](stream_host&, stream_peer& peer) {
    auto slow = peer.open();
    std::atomic<std::size_t> taken = 0;
    // Until nobody takes more: its windows and sockets are full.
    std::thread filling{[&] {
      auto piece = pattern(65536);
      while (slow.write(piece))
        taken += piece.size();
    }};
    auto fast = peer.open();
    auto sent = pattern(much, 7);
    auto writing = std::async(std::launch::async, [&] {
      auto done = fast.write(sent);
      fast.end_writing();
      return done;
    });
    CAF_CHECK(fast.read() == sent);
    CAF_CHECK(writing.get());
    // Two windows each way, and what sockets hold.
    CAF_CHECK(taken < 16u << 20);
    ::shutdown(slow.socket.get(), SHUT_RDWR);
    filling.join();
  });
}

CAF_TEST(fifty streams at once) {
  over_both([](stream_host&, stream_peer& peer) {
    std::vector<client_stream> all;
    for (int i = 0; i < 50; ++i) {
      all.push_back(peer.open());
      CAF_REQUIRE_EQUAL(all.back().refused, "");
    }
    CAF_CHECK_EQUAL(peer.streams(), 50u);
    std::vector<std::future<bool>> done;
    for (std::uint32_t i = 0; i < 50; ++i)
      done.push_back(std::async(std::launch::async, [&stream = all[i], i] {
        auto sent = pattern(200'000 + i, i);
        auto reading = std::async(std::launch::async, [&] { return stream.read(); });
        auto written = stream.write(sent);
        stream.end_writing();
        return reading.get() == sent && written && stream.end() == "in order";
      }));
    for (auto& one : done)
      CAF_CHECK(one.get());
    CAF_CHECK_EQUAL(peer.streams(), 0u);
  });
}

CAF_TEST(a client that takes nothing stalls its connection and no other) {
  // Fifty streams of one client, each of whose windows is granted: more than a connection may hold.
  stream_host host{way::tls};
  host.guests.serve = [](std::uint32_t, const io::unique_fd& socket) {
    auto piece = pattern(65536);
    while (::send(socket.get(), piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
    }
  };
  stream_peer peer{host};
  std::vector<client_stream> all;
  for (int i = 0; i < 50; ++i)
    all.push_back(peer.open());
  // Each has its window: it came, whatever the others did.
  for (const auto& stream : all)
    CAF_CHECK_EQUAL(stream.read(900'000).size(), 900'000u);
  CAF_CHECK_EQUAL(peer.streams(), 50u);
  all.clear();
  CAF_CHECK(becomes([&] { return peer.streams() == 0; }));
}

CAF_TEST(the end of a vm ends its streams with the reason) {
  for (auto by : {way::unix_socket, way::tls}) {
    stream_host host{by};
    std::promise<void> dies;
    auto dead = dies.get_future().share();
    host.guests.serve = [dead](std::uint32_t, const io::unique_fd& socket) {
      say(socket, "last words");
      dead.wait();
    };
    stream_peer peer{host};
    auto stream = peer.open();
    CAF_CHECK_EQUAL(stream.read(10), "last words");
    host.kill_vm(0);
    dies.set_value();
    CAF_CHECK_EQUAL(stream.read(), "");
    CAF_CHECK_EQUAL(stream.end(), "VM 3 is dead: crash");
  }
}

CAF_TEST(a client that is lost ends its streams and leaves nothing) {
  for (auto by : {way::unix_socket, way::tls}) {
    stream_host host{by};
    std::promise<void> ended;
    host.guests.serve = [&](std::uint32_t, const io::unique_fd& socket) {
      client_stream::read_from(socket.get());
      ended.set_value();
    };
    auto before = open_descriptors().size();
    {
      stream_peer peer{host};
      auto stream = peer.open();
      CAF_CHECK(stream.write("x"));
      transport::close_all(peer.side.system);
      CAF_CHECK_EQUAL(stream.end().empty(), false);
      CAF_CHECK(ended.get_future().wait_for(patience) == std::future_status::ready);
    }
    // But for the loop of all streams, which stays: an epoll, an event and a timer.
    CAF_CHECK(becomes([&] { return open_descriptors().size() <= before + 3; }));
  }
}

CAF_TEST(a service that is lost ends the streams of its clients) {
  auto host = std::make_unique<stream_host>(way::tls);
  std::promise<void> over;
  host->guests.serve = [](std::uint32_t, const io::unique_fd& socket) { echo(socket); };
  stream_peer peer{*host};
  auto stream = peer.open();
  CAF_CHECK(stream.write("x"));
  CAF_CHECK_EQUAL(stream.read(1), "x");
  host.reset();
  CAF_CHECK_EQUAL(stream.read(), "");
  auto why = stream.ended.get();
  CAF_CHECK(why == caf::exit_reason::remote_link_unreachable);
}

CAF_TEST(a port that nobody may connect to says why) {
  stream_host host{way::tls};
  stream_peer peer{host};
  peer.cid = 4000;
  CAF_CHECK_EQUAL(peer.open().refused, "no VM with CID 4000");
}
