// SPDX-License-Identifier: Apache-2.0
// crosvisor-remote-output HOST DIRECTORY CID [GRANT]: writes a payload's output, which it reads as
// messages over TLS with DIRECTORY/client.pem, to standard output until its end. With GRANT it
// grants so many bytes once, and stays until its input ends.
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/messages/type_ids.hpp"
#include "crosvisor/tests/service/transport/tls_door.hpp"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

constexpr std::uint64_t window = 256u << 10;
constexpr std::uint16_t daemon_port = 7443;

bool write_whole(std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// Until the last piece. @returns whether nothing is missing.
bool copy(caf::scoped_actor& self, const door_actor& door, vm_cid cid) {
  self->send(door, credit_atom::value, cid, window);
  auto goes_on = true, whole = true;
  std::uint64_t end = 0;
  self->receive_while(goes_on)(
    [&](const output_chunk& piece) {
      whole = whole && piece.missed == 0 && piece.offset == end && write_whole(piece.bytes);
      end = piece.offset + piece.bytes.size();
      goes_on = whole && !piece.last;
      self->send(door, credit_atom::value, cid, std::uint64_t{piece.bytes.size()});
    },
    [&](const caf::down_msg&) { goes_on = whole = false; });
  return whole;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4)
    return 2;
  std::string dir = argv[2];
  auto identity =
    transport::load_tls_identity({dir + "/client.pem", dir + "/client.key", dir + "/ca.pem"});
  if (!identity) {
    std::cerr << identity.why().what << "\n";
    return 1;
  }
  network_system side;
  auto door = transport::connect_tls(side.system, argv[1], daemon_port, *identity, patience);
  if (!door) {
    std::cerr << door.why().what << "\n";
    return 1;
  }
  auto cid = static_cast<vm_cid>(std::strtoul(argv[3], nullptr, 10));
  caf::scoped_actor self{side.system};
  self->monitor(*door);
  auto subscribed = false;
  self->request(*door, patience, caf::subscribe_atom::value, output_atom::value, cid)
    .receive([&](caf::ok_atom) { subscribed = true; },
             [](const caf::error& why) { std::cerr << sentence_of(why) << "\n"; });
  if (!subscribed)
    return 1;
  std::cerr << "subscribed" << std::endl;
  if (argc < 5)
    return copy(self, *door, cid) ? 0 : 1;
  self->send(*door, credit_atom::value, cid, std::uint64_t{std::strtoull(argv[4], nullptr, 10)});
  char byte;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}
