// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/transport.hpp"

#include "crosvisor/service/transport/guarded_broker.hpp"

#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>

namespace crosvisor::transport {

void load_middleman(caf::actor_system_config& config) {
  config.load<caf::io::middleman>();
  // Connections send signs of life and end by themselves (guarded_connection.hpp): CAF's own clock
  // ends a connection under the hands of those who still read from it.
  config.set("middleman.heartbeat-interval", caf::timespan{0});
  config.set("middleman.connection-timeout", caf::timespan{0});
  config.set("middleman.enable-automatic-connections", false);
}

void close_all(caf::actor_system& system) {
  if (!system.has_middleman())
    return;
  caf::scoped_actor asker{system};
  for (const auto& broker : {serving_broker_of(system), calling_broker_of(system)})
    asker->request(broker, std::chrono::seconds{5}, caf::close_atom::value)
      .receive([](caf::ok_atom) {}, [](caf::error&) {});
}

} // namespace crosvisor::transport
