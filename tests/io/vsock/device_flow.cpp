// SPDX-License-Identifier: Apache-2.0
// Much data, little credit, few buffers, many connections.
#include "crosvisor/tests/io/vsock/front_end.hpp"

#include <caf/test/dsl.hpp>

#include <sys/resource.h>
#include <sys/socket.h>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.device_flow

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture : front_end {
  explicit fixture(std::uint16_t ring_size = 128) : front_end(ring_size) {
    make_device();
    start_like_qemu();
  }

  static void write(int fd, std::string_view text) {
    ::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  // Bytes that depend on where they are in a stream.
  static char byte_at(std::size_t at) { return static_cast<char>((at * 2654435761u) >> 13); }

  static std::string stretch(std::size_t from, std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
      bytes[i] = byte_at(from + i);
    return bytes;
  }

  packet_header data(std::uint32_t guest_port = 5000) {
    return header(packet_op::rw, 1000, guest_port);
  }
};

struct small_ring : fixture {
  small_ring() : fixture(16) {}
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(device_flow, fixture)

CAF_TEST(much data reach the host as they were sent) {
  post_buffers(64);
  auto host = guest_connects(1000, 5000);
  constexpr std::size_t total = 64 << 20;
  std::size_t sent = 0;
  std::size_t got = 0;
  auto same = true;
  std::uint32_t told = 0; // What the device has said it passed on.
  while (got < total && same) {
    while (sent < total && static_cast<std::uint32_t>(sent) - told <= 262144 - 65536) {
      auto size = std::min<std::size_t>(total - sent, 1 + (sent * 7919) % 65536);
      send_packet(data(), stretch(sent, size), {44, 100});
      sent += size;
    }
    turn();
    auto part = read_all(host.get());
    same = part == stretch(got, part.size());
    got += part.size();
    while (rx.has_used())
      told = packet().header.fwd_cnt;
  }
  CAF_CHECK(same);
  CAF_CHECK_EQUAL(got, total);
}

CAF_TEST(much data reach the guest as they were sent and within its credit) {
  post_buffers(100, 3776);
  credit = 262144;
  auto host = guest_connects(1000, 5000);
  constexpr std::size_t total = 64 << 20;
  std::size_t sent = 0;
  std::size_t got = 0;
  std::size_t forwarded_bytes = 0;
  auto same = true;
  while (got < total && same) {
    if (sent < total) {
      auto chunk = stretch(sent, std::min<std::size_t>(65536, total - sent));
      auto taken = ::send(host.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      sent += taken > 0 ? static_cast<std::size_t>(taken) : 0;
    }
    turn();
    while (rx.has_used()) {
      auto part = packet();
      if (part.header.op != packet_op::rw)
        continue;
      same = same && part.payload == stretch(got, part.payload.size());
      got += part.payload.size();
      same = same && got - forwarded_bytes <= credit;
    }
    if (got - forwarded_bytes >= credit / 2) {
      forwarded_bytes = got;
      forwarded = static_cast<std::uint32_t>(got);
      send_packet(header(packet_op::credit_update, 1000, 5000));
    }
  }
  CAF_CHECK(same);
  CAF_CHECK_EQUAL(got, total);
}

CAF_TEST(no more is sent than the credit and a shrunk buffer is kept to) {
  post_buffers(64);
  credit = 5000;
  auto host = guest_connects(1000, 5000);
  write(host.get(), std::string(20000, 'x'));
  std::size_t got = 0;
  for (auto part = packet(); part.header.op == packet_op::rw; part = packet())
    got += part.payload.size();
  CAF_CHECK_EQUAL(got, 5000u);
  // It has taken all and has room for 1000 now.
  forwarded = 5000;
  credit = 1000;
  send_packet(header(packet_op::credit_update, 1000, 5000));
  CAF_CHECK_EQUAL(packet().payload.size(), 1000u);
  // It claims less than what is under way.
  credit = 500;
  send_packet(header(packet_op::credit_update, 1000, 5000));
  CAF_CHECK(next_op() == packet_op::invalid);
}

CAF_TEST(a guest without credit is asked for it once and then each second) {
  post_buffers(64);
  credit = 1000;
  auto host = guest_connects(1000, 5000);
  write(host.get(), std::string(2000, 'x'));
  CAF_CHECK_EQUAL(packet().payload.size(), 1000u);
  CAF_CHECK(next_op() == packet_op::invalid);
  advance(std::chrono::milliseconds{200});
  CAF_CHECK(next_op() == packet_op::credit_request);
  advance(std::chrono::milliseconds{999});
  CAF_CHECK(next_op() == packet_op::invalid);
  advance(std::chrono::milliseconds{1});
  CAF_CHECK(next_op() == packet_op::credit_request);
  forwarded = 1000;
  send_packet(header(packet_op::credit_update, 1000, 5000));
  CAF_CHECK_EQUAL(packet().payload.size(), 1000u);
}

CAF_TEST(a slow host stops its own connection and nothing is lost) {
  post_buffers(64);
  auto slow = guest_connects(1000, 5000);
  auto quick = guest_connects(1000, 5001);
  std::size_t sent = 0;
  std::uint32_t told = 0;
  // Until the credit is used up.
  while (static_cast<std::uint32_t>(sent) - told <= 262144 - 32768) {
    send_packet(data(), stretch(sent, 32768));
    sent += 32768;
    run();
    while (rx.has_used())
      told = packet().header.fwd_cnt;
  }
  send_packet(data(5001), "another");
  run();
  CAF_CHECK_EQUAL(read_all(quick.get()), "another");
  std::string all;
  for (auto rounds = 0; all.size() < sent && rounds < 100; ++rounds) {
    all += read_all(slow.get());
    run();
  }
  CAF_CHECK(all == stretch(0, sent));
  CAF_CHECK(next_op() == packet_op::credit_update);
}

CAF_TEST(a guest that sends more than its credit is reset) {
  post_buffers(64);
  auto host = guest_connects(1000, 5000);
  packet_op last = packet_op::invalid;
  for (auto i = 0; i < 40 && last != packet_op::rst; ++i) {
    send_packet(data(), std::string(65536, 'x'));
    last = next_op();
  }
  CAF_CHECK(last == packet_op::rst);
  CAF_CHECK_EQUAL(made->connections(), 0u);
}

CAF_TEST(without receive buffers nothing spins and nothing is lost) {
  post_buffers(64);
  std::vector<io::unique_fd> hosts;
  for (auto i = 0u; i < 100; ++i)
    hosts.push_back(guest_connects(1000, 5000 + i));
  // The guest takes no more: every buffer is filled and none comes back.
  repost = false;
  for (auto& host : hosts)
    write(host.get(), std::string(8000, 'x'));
  run();
  advance(std::chrono::milliseconds{2}); // What was taken is told by then.
  run();
  rusage before, after;
  ::getrusage(RUSAGE_THREAD, &before);
  auto began = std::chrono::steady_clock::now();
  auto turns = 0;
  while (std::chrono::steady_clock::now() - began < std::chrono::milliseconds{500}) {
    made->turn(std::chrono::milliseconds{100});
    ++turns;
  }
  ::getrusage(RUSAGE_THREAD, &after);
  CAF_CHECK_LESS(turns, 20);
  // They come now.
  std::size_t got = 0;
  repost = true;
  post_buffers(64);
  for (auto part = packet(); part.header.op != packet_op::invalid; part = packet()) {
    got += part.payload.size();
    post_buffers(64);
  }
  CAF_CHECK_EQUAL(got, 800000u);
}

CAF_TEST(a guest that sends is called for what was taken at last and not each time) {
  post_buffers(64);
  auto host = guest_connects(1000, 5000);
  advance(std::chrono::milliseconds{2});
  run();
  was_called(1);
  auto send_some = [&](int count) {
    tx.set_used_event(tx.used_index());
    for (auto i = 0; i < count; ++i)
      send_packet(data(), "x");
    run();
  };
  send_some(3);
  CAF_CHECK(!was_called(1));
  advance(std::chrono::milliseconds{2});
  run();
  CAF_CHECK(was_called(1));
  send_some(16);
  CAF_CHECK(was_called(1));
  CAF_CHECK_EQUAL(read_all(host.get()), std::string(19, 'x'));
}

CAF_TEST(a bulk stream leaves others their turn) {
  post_buffers(100);
  auto bulk = guest_connects(1000, 5000);
  auto ping = guest_connects(1000, 5001);
  for (auto i = 0; i < 200; ++i) {
    write(bulk.get(), std::string(262144, 'b'));
    write(ping.get(), "p");
    std::size_t before = 0;
    for (auto part = packet(); part.header.dst_port != 5001; part = packet())
      before += part.payload.size();
    // Its own turn and what was in the ring already.
    CAF_REQUIRE_LESS(before, 600'000u);
  }
}

CAF_TEST(1024 connections live at once and one more is refused) {
  post_buffers(100);
  rlimit limit{4096, 4096};
  ::setrlimit(RLIMIT_NOFILE, &limit);
  tell(message_kind::listen, 1000);
  std::vector<io::unique_fd> hosts;
  for (auto i = 0u; i < 1024; ++i)
    hosts.push_back(guest_connects(1000, 5000 + i));
  CAF_CHECK_EQUAL(made->connections(), 1024u);
  send_packet(header(packet_op::request, 1000, 9999));
  CAF_CHECK(next_op() == packet_op::rst);
  tell(message_kind::connect, 77, 9);
  auto answer = letter();
  CAF_CHECK_EQUAL(answer.message.error, EMFILE);
  for (auto i = 0u; i < 1024; ++i) {
    write(hosts[i].get(), "ping " + std::to_string(i));
    if (i % 16 == 15)
      run();
  }
  std::size_t answers = 0;
  for (auto part = packet(); part.header.op == packet_op::rw; part = packet()) {
    CAF_REQUIRE_EQUAL(part.payload, "ping " + std::to_string(part.header.dst_port - 5000));
    ++answers;
  }
  CAF_CHECK_EQUAL(answers, 1024u);
  hosts.clear();
  for (auto i = 0u; i < 1024; ++i) {
    auto end = packet();
    CAF_REQUIRE(end.header.op == packet_op::shutdown);
    send_packet(header(packet_op::rst, 1000, end.header.dst_port));
  }
  drop_packets();
  CAF_CHECK_EQUAL(made->connections(), 0u);
}

CAF_TEST(a burst of connects larger than the service takes at once is kept for it) {
  post_buffers(100);
  rlimit limit{4096, 4096};
  ::setrlimit(RLIMIT_NOFILE, &limit);
  tell(message_kind::listen, 1000);
  auto responses = 0;
  for (auto i = 0u; i < 600; ++i) {
    send_packet(header(packet_op::request, 1000, 5000 + i));
    responses += next_op() == packet_op::response ? 1 : 0;
  }
  CAF_CHECK_EQUAL(responses, 600);
  auto opened = 0u;
  for (auto got = letter(); got.carried; got = letter()) {
    CAF_REQUIRE_EQUAL(got.message.peer_port, 5000 + opened);
    ++opened;
  }
  CAF_CHECK_EQUAL(opened, 600u);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST_FIXTURE_SCOPE(device_flow_small, small_ring)

CAF_TEST(indexes go round their end many times) {
  post_buffers(8);
  auto host = guest_connects(1000, 5000);
  for (auto i = 0; i < 70'000; ++i) {
    send_packet(data(), "a");
    turn();
    if (i % 1000 == 0) {
      read_all(host.get());
      drop_packets();
    }
  }
  drop_packets();
  CAF_CHECK_EQUAL(tx.used_index(), tx.avail_index());
  for (auto i = 0; i < 70'000; ++i) {
    write(host.get(), "b");
    auto part = packet();
    CAF_REQUIRE_EQUAL(part.payload, "b");
    if (i % 1000 == 0) {
      forwarded = static_cast<std::uint32_t>(i) + 1;
      send_packet(header(packet_op::credit_update, 1000, 5000));
      turn();
    }
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
