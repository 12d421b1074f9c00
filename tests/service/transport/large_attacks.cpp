// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/basp_guard.hpp"
#include "crosvisor/tests/service/transport/basp_attacks.hpp"
#include "crosvisor/tests/service/transport/basp_bytes.hpp"

#include <caf/test/dsl.hpp>

#include <atomic>
#include <random>
#include <thread>

namespace crosvisor::tests {

namespace {

using namespace basp;

std::string claim_gigabytes(const attack_target& target) {
  std::vector<raw_peer> peers;
  for (int i = 0; i < 8; ++i) {
    peers.emplace_back(target.connect());
    peers.back().send(header({basp_operation::client_handshake, 0, 1u << 30, 0, 0, 0}));
  }
  for (auto& peer : peers)
    if (!peer.ends())
      return "a connection did not end";
  return "";
}

/// Each has all of a message but its last byte.
std::string hold_messages(const attack_target& target) {
  std::vector<raw_peer> peers;
  auto refused = 0;
  for (std::uint8_t i = 0; i < 64; ++i) {
    peers.emplace_back(target.connect());
    auto& peer = peers.back();
    if (!peer.greet(own_node(i)))
      return "no handshake";
    auto whole = message(peer.door(), std::string(1u << 20, 'x'));
    whole.pop_back();
    refused += peer.send(whole) ? 0 : 1;
  }
  return refused > 0 ? "" : "64 MiB of messages that are not whole were taken";
}

std::string name_many_actors(const attack_target& target) {
  raw_peer peer{target.connect()};
  if (!peer.greet(own_node(20)))
    return "no handshake";
  std::string bytes;
  for (std::uint64_t i = 1; i <= 20000; ++i)
    bytes +=
      message(peer.door(), content("@<>+@atom", atom(caf::unsubscribe_atom::value)), unasked, i);
  peer.send(bytes);
  return peer.ends() ? "" : "the connection did not end";
}

/// As many actors, but each says that it is gone.
std::string name_actors_that_go(const attack_target& target) {
  raw_peer peer{target.connect()};
  if (!peer.greet(own_node(21)))
    return "no handshake";
  auto gone = error(number(0, 2) + text("@<>"));
  for (std::uint64_t i = 1; i <= 5000;) {
    std::string bytes;
    for (auto end = i + 500; i < end; ++i)
      bytes += message(peer.door(), list_content(), unasked, i)
               + down(own_node(21), peer.service(), i, gone);
    // Its answers, so that it is not one that does not read.
    if (!peer.send(bytes) || !peer.served())
      return "it is not served";
  }
  return "";
}

std::string watch_unknown_actors(const attack_target& target) {
  raw_peer peer{target.connect()};
  if (!peer.greet(own_node(22)))
    return "no handshake";
  for (int part = 0; part < 100; ++part) {
    std::string bytes;
    for (int i = 0; i < 1000; ++i)
      bytes += monitor(own_node(22), peer.service(), static_cast<std::uint64_t>(part * 1000 + i));
    if (!peer.send(bytes))
      return "the connection ended";
  }
  return peer.served() ? "" : "it is not served";
}

std::string read_nothing(const attack_target& target) {
  raw_peer peer{target.connect()};
  if (!peer.greet(own_node(23)))
    return "no handshake";
  std::string requests;
  for (int i = 0; i < 1000; ++i)
    requests += message(peer.door(), list_content(), request);
  for (int i = 0; i < 300; ++i)
    if (!peer.send(requests))
      return "";
  return "300000 answers were kept for it";
}

std::string relay(const attack_target& target) {
  raw_peer victim{target.connect()};
  raw_peer peer{target.connect()};
  if (!victim.greet(own_node(24)) || !peer.greet(own_node(25)))
    return "no handshake";
  peer.send(monitor(own_node(25), own_node(24), 5));
  if (!peer.ends())
    return "the connection did not end";
  if (!victim.send(message(victim.door(), list_content(), request)))
    return "the victim's connection ended";
  auto first = victim.receive();
  while (first && first->header.operation == basp_operation::monitor_message)
    first = victim.receive();
  return first && first->header.data == (request | 0x8000000000000000)
           ? ""
           : "the victim was told something else";
}

std::string half_open(const attack_target& target) {
  std::vector<raw_peer> peers;
  for (int i = 0; i < 500; ++i) {
    peers.emplace_back(target.connect());
    // Some with half of a header.
    if (i % 2 == 0)
      peers.back().send(std::string(16, '\1'));
  }
  raw_peer good{target.connect()};
  if (!good.greet(own_node(26)) || !good.served())
    return "nobody else is served meanwhile";
  for (auto& peer : peers)
    if (!peer.ends())
      return "a connection did not end";
  return "";
}

std::string come_and_go(const attack_target& target, int times) {
  auto key = own_node();
  for (int i = 0; i < times; ++i) {
    key.host[0] = static_cast<std::uint8_t>(i >> 8);
    key.host[1] = static_cast<std::uint8_t>(i & 0xff);
    raw_peer peer{target.connect()};
    if (!peer.greet(key))
      return "no handshake, the " + std::to_string(i) + "th time";
  }
  return "";
}

std::string mutate(std::string bytes, std::mt19937& random) {
  auto up_to = [&](std::size_t n) { return random() % n; };
  for (auto changes = up_to(5); changes-- > 0;) {
    auto where = up_to(bytes.size());
    // The size stays what it is, or the rest of a connection is its payload.
    if (where >= 4 && where < 8)
      continue;
    auto kind = up_to(10);
    if (kind < 6)
      bytes[where] = static_cast<char>(random());
    else if (kind < 8 && bytes.size() > transport::basp_header_bytes + 1)
      bytes.pop_back();
    else
      bytes.append(1 + up_to(30), static_cast<char>(random()));
    auto size = number(bytes.size() - transport::basp_header_bytes, 4);
    bytes.replace(4, 4, size);
  }
  return bytes;
}

std::string send_mutated(const attack_target& target) {
  std::mt19937 random{1};
  auto own = own_node(27);
  raw_peer scout{target.connect()};
  if (!scout.greet(own_node(28)))
    return "no handshake";
  const std::vector<std::string> seeds = {
    handshake(own),
    message(scout.door(), list_content(), request),
    message(scout.door(), content("@<>+@atom+@str", atom(caf::atom("get")) + text("name")),
            request),
    message(
      scout.door(),
      content("@<>+@atom+@u32+@timespan", atom(caf::atom("stop")) + number(2048, 4) + number(1, 8)),
      request),
    monitor(own, scout.service(), scout.door()),
    down(own, scout.service(), 99, error(number(0, 2) + text("@<>"))),
    header({})};
  std::unique_ptr<raw_peer> peer;
  for (int i = 0; i < 20000; ++i) {
    if (!peer) {
      peer = std::make_unique<raw_peer>(target.connect());
      own.host[3] = static_cast<std::uint8_t>(i);
      own.host[4] = static_cast<std::uint8_t>(i >> 8);
      peer->send(handshake(own));
    }
    if (!peer->send(mutate(seeds[random() % seeds.size()], random)) || i % 7 == 0)
      peer = nullptr;
  }
  return "";
}

/// Each takes over what the service had for one that just went: its descriptor's number, too.
std::string follow_each_other(const attack_target& target) {
  constexpr int threads = 40, connections = 100;
  std::atomic<int> unserved = 0;
  std::vector<std::thread> clients;
  for (int thread = 0; thread < threads; ++thread)
    clients.emplace_back([&, thread] {
      for (int i = 0; i < connections; ++i) {
        auto own = own_node(static_cast<std::uint8_t>(30 + thread));
        own.host[5] = static_cast<std::uint8_t>(i);
        raw_peer peer{target.connect()};
        unserved += peer.greet(own) && peer.served() ? 0 : 1;
      }
    });
  for (auto& client : clients)
    client.join();
  return unserved == 0 ? "" : std::to_string(unserved) + " clients were not served";
}

} // namespace

std::vector<attack> large_attacks() {
  return {
    {"eight payloads of 1 GiB", claim_gigabytes},
    {"64 messages that are not whole", hold_messages},
    {"messages of 20000 actors", name_many_actors},
    {"messages of 5000 actors that are gone", name_actors_that_go},
    {"100000 monitors of unknown actors", watch_unknown_actors},
    {"300000 requests whose answers nobody reads", read_nothing},
    {"a monitor that is relayed to another client", relay},
    {"500 connections without a handshake", half_open},
    {"1000 connections that come and go",
     [](const attack_target& target) { return come_and_go(target, 1000); }},
    {"10000 connections that come and go",
     [](const attack_target& target) { return come_and_go(target, 10000); }},
    {"4000 clients of which each follows another", follow_each_other},
    {"20000 mutated frames", send_mutated},
  };
}

void withstands(const attack& what, const attack_target& target, server_process& server,
                raw_peer& good) {
  CAF_MESSAGE(what.name);
  // Buffers of answers in two copies while one grows; what the allocator keeps for later.
  constexpr std::size_t most_kib = 64u << 10;
  constexpr std::size_t kept_kib = 24u << 10;
  auto before = server.memory_kib();
  server.forget_most_memory();
  auto wrong = what.run(target);
  CAF_CHECK_EQUAL(wrong, "");
  CAF_REQUIRE(server.alive());
  CAF_CHECK(good.served());
  raw_peer another{target.connect()};
  CAF_CHECK(another.greet(own_node(250)));
  CAF_CHECK(another.served());
  auto most = server.most_memory_kib();
  auto after = server.memory_kib();
  CAF_MESSAGE("KiB: " << before << " before, " << most << " at most, " << after << " after");
  CAF_CHECK_LESS(most, before + most_kib);
  CAF_CHECK_LESS(after, before + kept_kib);
}

} // namespace crosvisor::tests
