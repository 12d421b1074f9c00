// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/peer_registry.hpp"

#include <caf/abstract_actor.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>

#include <utility>

namespace crosvisor::transport {

std::shared_ptr<peers> peers::make(caf::actor_system& system, caller own) {
  return std::make_shared<peer_registry>(system, std::move(own));
}

peer_registry::peer_registry(const caf::actor_system& system, caller own)
    : system_(system), own_(std::move(own)) {}

std::optional<caller> peer_registry::find(const caf::strong_actor_ptr& sender) const {
  if (!sender)
    return std::nullopt;
  if (sender->node() == system_.node())
    return own_;
  auto node = to_node_key(sender->node());
  auto who = node ? nodes_->find(*node) : std::nullopt;
  // In this order: a proxy that lives still after the node was found is of the connection that the
  // node was found for, as proxies die before their node is free (serving_broker::purge_state).
  if (sender->get()->getf(caf::abstract_actor::is_terminated_flag))
    return std::nullopt;
  return who;
}

} // namespace crosvisor::transport
