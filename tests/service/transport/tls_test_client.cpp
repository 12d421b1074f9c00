// SPDX-License-Identifier: Apache-2.0
// crosvisor-tls-test-client PORT DIRECTORY: connects to localhost with DIRECTORY/client.pem,
// watches, prints a line, and stays until its input ends. For tests that freeze and kill it.
#include "crosvisor/tests/service/transport/tls_door.hpp"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

using namespace crosvisor;
using namespace crosvisor::tests;

int main(int argc, char** argv) {
  if (argc != 3)
    return 2;
  std::string dir = argv[2];
  auto identity =
    transport::load_tls_identity({dir + "/client.pem", dir + "/client.key", dir + "/ca.pem"});
  if (!identity) {
    std::cerr << identity.why().what << "\n";
    return 1;
  }
  network_system side;
  auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  auto door = transport::connect_tls(side.system, "localhost", port, *identity, patience);
  if (!door) {
    std::cerr << door.why().what << "\n";
    return 1;
  }
  caf::scoped_actor watcher{side.system};
  if (!watch(watcher, *door))
    return 1;
  std::cout << "watches" << std::endl;
  char byte;
  while (::read(0, &byte, 1) > 0) {
  }
}
