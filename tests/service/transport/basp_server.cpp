// SPDX-License-Identifier: Apache-2.0
// A process that serves a stub door on the listening socket that is its descriptor 3, until its
// standard input ends.
#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/service/transport/transport.hpp"
#include "crosvisor/tests/service/transport/stub_door.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/send.hpp>

#include <unistd.h>

#include <cstdio>

using namespace crosvisor;

int main() {
  caf::actor_system_config config;
  register_types(config);
  transport::load_middleman(config);
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", 2);
  caf::actor_system system{config};
  auto known = transport::peers::make(system, {});
  auto door = tests::spawn_stub_door(system, known, 16);
  transport::listen_options options;
  options.limits.connections = 600;
  options.limits.connections_per_principal = 550;
  options.limits.handshake = std::chrono::seconds{1};
  auto listening = transport::listen_unix(system, door, io::unique_fd{3}, known, options);
  if (!listening) {
    std::fprintf(stderr, "%s\n", listening.why().what.c_str());
    return 1;
  }
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  transport::close_all(system);
  caf::anon_send_exit(door, caf::exit_reason::user_shutdown);
  return 0;
}
