// SPDX-License-Identifier: Apache-2.0
// What a hostile client says of streams, in messages that the transport lets through.
#include "crosvisor/tests/service/stream_hosts.hpp"

#include <caf/test/dsl.hpp>

#include <atomic>

#undef CAF_SUITE
#define CAF_SUITE service.stream_attacks

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

/// Ports: 7001 sends back what comes, 7002 sends without end, 7004 reads nothing.
struct fixture {
  std::promise<void> over;
  std::shared_future<void> ends = over.get_future().share();
  std::atomic<std::size_t> taken = 0; ///< Of what port 7002 has to say.
  stream_host host{way::tls};
  stream_peer victim{host, "other"};
  stream_peer hostile{host};
  caf::scoped_actor self{hostile.side.system};
  client_stream kept;

  fixture() {
    host.guests.serve = [this](std::uint32_t port, const io::unique_fd& socket) {
      switch (port) {
        case 7002: return speak(socket);
        case 7004: return ends.wait();
        default: return echo(socket);
      }
    };
    kept = victim.open();
    CAF_REQUIRE_EQUAL(kept.refused, "");
  }

  /// Whatever was done, the victim's stream is as it was.
  ~fixture() {
    auto sent = pattern(300'000, 5);
    auto writing = std::async(std::launch::async, [&] { return kept.write(sent); });
    CAF_CHECK(kept.read(sent.size()) == sent);
    CAF_CHECK(writing.get());
    kept.end_writing();
    CAF_CHECK_EQUAL(kept.read(), "");
    CAF_CHECK_EQUAL(kept.end(), "in order");
    over.set_value();
  }

  void speak(const io::unique_fd& socket) {
    auto piece = pattern(65536);
    for (ssize_t n; (n = ::send(socket.get(), piece.data(), piece.size(), MSG_NOSIGNAL)) > 0;)
      taken += static_cast<std::size_t>(n);
  }

  /// A stream's number, or why there is none.
  std::variant<std::uint64_t, std::string> connect(std::uint32_t port) {
    std::variant<std::uint64_t, std::string> got;
    self
      ->request(hostile.door, patience, caf::connect_atom::value, stream_atom::value, hostile.cid,
                port, caf::timespan{})
      .receive([&](std::uint64_t number) { got = number; },
               [&](const caf::error& why) { got = sentence_of(why); });
    return got;
  }

  std::uint64_t connected(std::uint32_t port) {
    auto made = connect(port);
    if (const auto* why = std::get_if<std::string>(&made))
      CAF_FAIL(*why);
    return std::get<std::uint64_t>(made);
  }

  void grant(std::uint64_t number, std::uint64_t bytes) {
    self->send(hostile.door, credit_atom::value, stream_atom::value, number, bytes);
  }

  void write(std::uint64_t number, std::string bytes, bool last = false) {
    self->send(hostile.door, stream_piece{number, std::move(bytes), last});
  }

  /// Why a stream was closed; what comes before that is dropped.
  std::string closed(std::uint64_t number) {
    std::string why = "it was not closed";
    auto waits = true;
    self->receive_while(waits)([](const stream_piece&) {},
                               [](credit_atom, stream_atom, std::uint64_t, std::uint64_t) {},
                               [&](closed_atom, std::uint64_t of, const caf::error& error) {
                                 waits = of != number;
                                 if (!waits)
                                   why = error ? sentence_of(error) : "in order";
                               },
                               caf::after(patience) >> [&] { waits = false; });
    return why;
  }
};

const std::string piece(max_stream_piece_bytes, 'x');

} // namespace

CAF_TEST_FIXTURE_SCOPE(stream_attack_tests, fixture)

CAF_TEST(credit without end is not believed) {
  auto number = connected(7002);
  grant(number, stream_window_bytes);
  grant(number, UINT64_MAX);
  grant(number, UINT64_MAX);
  CAF_CHECK_EQUAL(closed(number), "stream: more bytes are granted than 1 MiB");
  CAF_CHECK_EQUAL(hostile.streams(), 0u);
}

CAF_TEST(who never grants stalls the guest s port and nothing else) {
  auto number = connected(7002);
  auto other = hostile.open(7002);
  CAF_CHECK_EQUAL(other.read(4u << 20).size(), 4u << 20);
  other.socket.reset();
  CAF_CHECK_EQUAL(other.end(), "in order");
  // What the other one took, its windows and sockets, and what the stalled one's socket took.
  CAF_CHECK(taken < 16u << 20);
  write(number, "", true);
  self->send(hostile.door, caf::close_atom::value, stream_atom::value, number);
  CAF_CHECK(becomes([&] { return hostile.streams() == 0; }));
}

CAF_TEST(words to another s streams are nobody s) {
  for (std::uint64_t number = 0; number < 300; ++number) {
    write(number, "x");
    write(number, piece);
    write(number, "", true);
    grant(number, 1);
    grant(number, UINT64_MAX);
    self->send(hostile.door, caf::close_atom::value, stream_atom::value, number);
  }
  CAF_CHECK_EQUAL(hostile.streams(), 0u);
}

CAF_TEST(more than was granted closes the stream) {
  auto number = connected(7004);
  for (int i = 0; i < 1000; ++i)
    write(number, piece);
  CAF_CHECK(closed(number).starts_with("stream: a piece that is too long, more than was granted"));
  CAF_CHECK_EQUAL(hostile.streams(), 0u);
}

CAF_TEST(a flood of small pieces is held to the window) {
  auto number = connected(7004);
  for (int i = 0; i < 30'000; ++i)
    write(number, "x");
  CAF_CHECK_EQUAL(hostile.streams(), 1u);
  self->send(hostile.door, caf::close_atom::value, stream_atom::value, number);
  CAF_CHECK(becomes([&] { return hostile.streams() == 0; }));
}

CAF_TEST(a piece that is too long closes the stream) {
  auto number = connected(7001);
  write(number, piece + 'x');
  CAF_CHECK(closed(number).starts_with("stream: a piece that is too long"));
}

CAF_TEST(nothing closes the stream) {
  auto number = connected(7001);
  write(number, "");
  CAF_CHECK(closed(number).starts_with("stream: a piece that is too long"));
}

CAF_TEST(streams are bounded) {
  for (int i = 0; i < 128; ++i)
    CAF_REQUIRE(connect(7004).index() == 0);
  auto more = connect(7004);
  CAF_REQUIRE(more.index() == 1);
  CAF_CHECK_EQUAL(std::get<1>(more),
                  "subject \"CN=client\" has 128 streams, as many as one user may have "
                  "(limits.streams_per_user)");
  CAF_CHECK(becomes([&] { return hostile.streams() == 128; }));
  // Another of the same user's connections has no room either; another user has.
  CAF_CHECK_EQUAL(stream_peer{host}.open().refused.empty(), false);
  CAF_CHECK_EQUAL(victim.streams(), 1u);
}

CAF_TEST(streams that are opened and left behind are closed) {
  auto before = open_descriptors().size();
  for (int i = 0; i < 100; ++i) {
    caf::scoped_actor brief{hostile.side.system};
    brief->request(hostile.door, patience, caf::connect_atom::value, stream_atom::value,
                   hostile.cid, std::uint32_t{7001}, caf::timespan{});
  }
  // The last one is answered after all of them were asked for.
  auto last = connected(7001);
  self->send(hostile.door, caf::close_atom::value, stream_atom::value, last);
  CAF_CHECK(becomes([&] { return hostile.streams() == 0; }));
  CAF_CHECK(becomes([&] { return open_descriptors().size() <= before; }));
}

CAF_TEST_FIXTURE_SCOPE_END()
