// SPDX-License-Identifier: Apache-2.0
// Actor systems that talk to each other: a service that serves a stub door, and clients.
#pragma once

#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/messages/type_ids.hpp"
#include "crosvisor/service/transport/peer_registry.hpp"
#include "crosvisor/service/transport/transport.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/service/transport/stub_door.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace crosvisor::tests {

struct network_config : caf::actor_system_config {
  network_config() {
    register_types(*this);
    transport::load_middleman(*this);
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", 2);
  }
};

class client_system {
public:
  client_system() = default;

  caf::actor_system& system() { return system_; }

  /// The answer to a request; nothing for an error, whose words are in why().
  template <class T, class... Args>
  std::optional<T> ask(const door_actor& door, Args... args) {
    std::optional<T> answer;
    why_.clear();
    caf::scoped_actor asker{system_};
    asker->request(door, patience, args...)
      .receive([&](T& value) { answer = std::move(value); },
               [&](caf::error& error) { why_ = caf::to_string(error); });
    return answer;
  }

  /// How many VMs are listed; 0 where nobody answers.
  std::size_t listed(const door_actor& door) {
    auto vms = ask<std::vector<vm_info>>(door, list_atom::value);
    return vms ? vms->size() : 0;
  }

  const std::string& why() const { return why_; }

private:
  network_config config_;
  caf::actor_system system_{config_};
  std::string why_;
};

struct service_system {
  network_config config;
  caf::actor_system system{config};
  std::shared_ptr<transport::peers> known;
  door_actor door;

  explicit service_system(caller own = {}, std::size_t vms = 3)
      : known(transport::peers::make(system, std::move(own))),
        door(spawn_stub_door(system, known, vms)) {}

  ~service_system() {
    transport::close_all(system);
    caf::anon_send_exit(door, caf::exit_reason::user_shutdown);
  }

  const transport::node_table& nodes() const {
    return *static_cast<const transport::peer_registry&>(*known).nodes();
  }
};

/// Waits until an actor is down.
inline bool goes_down(caf::actor_system& system, const door_actor& door) {
  caf::scoped_actor watcher{system};
  watcher->monitor(door);
  auto down = false;
  watcher->receive([&](const caf::down_msg&) { down = true; }, caf::after(patience) >> [] {});
  return down;
}

} // namespace crosvisor::tests
