// SPDX-License-Identifier: Apache-2.0
// Clients that subscribe and never read again.
//
//   crosvisor-deaf-subscribers SOCKET COUNT GREEDY
//
// makes COUNT connections to a daemon's socket, each of a client of its own that watches all VMs.
// GREEDY of them also ask for the list of VMs again and again, without reading the answers, until
// the daemon ends their connection or has been asked often enough. Then says `ready`, and holds all
// connections until its standard input ends.
#include "crosvisor/tests/service/transport/basp_bytes.hpp"
#include "crosvisor/tests/service/transport/raw_peer.hpp"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <limits>
#include <memory>
#include <vector>

namespace {

using namespace crosvisor::tests;

/// More than a daemon keeps for one that does not read, and than its socket holds.
constexpr int most_requests = 20'000;

crosvisor::transport::node_key node_of(int number) {
  auto key = basp::own_node(1);
  key.host[0] = static_cast<std::uint8_t>(number);
  key.host[1] = static_cast<std::uint8_t>(number >> 8);
  return key;
}

std::string watch_content() {
  return basp::content("@<>+@atom+@u64",
                       basp::atom(caf::atom("watch"))
                         + basp::number(std::numeric_limits<std::uint64_t>::max(), 8));
}

/// Null: it was not let in, or not answered.
std::unique_ptr<raw_peer> subscribe(const raw_connect& connect, int number) {
  auto peer = std::make_unique<raw_peer>(connect());
  auto served = peer->greet(node_of(number))
                && peer->send(basp::message(peer->door(), watch_content(), basp::request));
  // The answer; what the door monitors comes before.
  while (served) {
    auto frame = peer->receive();
    if (!frame)
      return nullptr;
    if (frame->header.operation == crosvisor::transport::basp_operation::direct_message)
      return peer;
  }
  return nullptr;
}

void ask_without_reading(raw_peer& peer) {
  for (int i = 0; i < most_requests; ++i)
    if (!peer.send(basp::message(peer.door(), basp::list_content(), basp::request)))
      return;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: crosvisor-deaf-subscribers SOCKET COUNT GREEDY\n";
    return 2;
  }
  auto connect = raw_unix(argv[1]);
  auto count = std::atoi(argv[2]), greedy = std::atoi(argv[3]);
  std::vector<std::unique_ptr<raw_peer>> peers;
  for (int i = 0; i < count; ++i) {
    peers.push_back(subscribe(connect, i));
    if (!peers.back()) {
      std::cerr << "subscriber " << i << " is not served\n";
      return 1;
    }
  }
  for (int i = 0; i < greedy; ++i)
    ask_without_reading(*peers[static_cast<std::size_t>(i)]);
  std::cout << "ready" << std::endl;
  for (char byte = 0; ::read(STDIN_FILENO, &byte, 1) > 0;) {
  }
  return 0;
}
