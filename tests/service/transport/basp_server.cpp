// SPDX-License-Identifier: Apache-2.0
// A process that serves a stub door on the listening socket that is its descriptor 3, until its
// standard input ends; over TLS where it is given the folder of server.pem, server.key and ca.pem.
#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/service/transport/transport.hpp"
#include "crosvisor/tests/service/transport/stub_door.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/send.hpp>

#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

using namespace crosvisor;

// With AddressSanitizer, freed memory is kept for a while: little of it, as its size is tested.
extern "C" const char* __asan_default_options() {
  return "quarantine_size_mb=4";
}

namespace {

io::result<void> serve(caf::actor_system& system, const door_actor& door,
                       const std::shared_ptr<transport::peers>& known,
                       transport::listen_options options, const char* folder) {
  if (folder == nullptr)
    return transport::listen_unix(system, door, io::unique_fd{3}, known, options);
  std::string dir = folder;
  auto identity =
    transport::load_tls_identity({dir + "/server.pem", dir + "/server.key", dir + "/ca.pem"});
  if (!identity)
    return identity.why();
  // Who attacks has no heart.
  options.limits.silence = std::chrono::minutes{5};
  return transport::listen_tls(
    system, door, io::unique_fd{3}, known, [own = *identity] { return own; }, options);
}

} // namespace

int main(int, char** argv) {
  // Fixed, or it grows with the first large buffer that is freed (mallopt(3)), and what others
  // allocate meanwhile keeps the heap from shrinking.
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
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
  auto listening = serve(system, door, known, options, argv[1]);
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
