// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/peer_registry.hpp"

#include <caf/abstract_actor.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>

#include <algorithm>
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

std::shared_ptr<connection_quota> peer_registry::make_quota(const listen_options& options) const {
  auto made = connection_quota::make(options.limits, open_);
  std::lock_guard guard{mutex_};
  quotas_.emplace_back(options.name, made);
  return made;
}

std::vector<limit_info> peer_registry::limits(const caller* of) const {
  limit_info all{"connections", "limits.connections", 0, 0, 0};
  limit_info own{"connections_per_user", "limits.connections_per_user", 0, 0, 0};
  std::lock_guard guard{mutex_};
  for (const auto& [name, one] : quotas_)
    if (auto quota = one.lock()) {
      auto use = quota->use(of);
      all.used += use.open;
      all.limit += quota->limits().connections;
      all.refused += use.refused;
      own.used = std::max<std::uint64_t>(own.used, use.most);
      own.limit = quota->limits().connections_per_principal;
      own.refused += use.refused_per_principal;
    }
  return of != nullptr ? std::vector{own} : std::vector{all, own};
}

std::vector<metric_family> peer_registry::metrics() const {
  metric_family open{
    "crosvisor_client_connections", "Connections of clients, by listener.", metric_kind::gauge, {}};
  metric_family all{"crosvisor_client_connections_total",
                    "Connections of clients that there ever were, by listener.",
                    metric_kind::counter,
                    {}};
  std::lock_guard guard{mutex_};
  for (const auto& [name, one] : quotas_)
    if (auto quota = one.lock()) {
      auto use = quota->use(nullptr);
      add_sample(open, {{"listener", name}}, static_cast<double>(use.open));
      add_sample(all, {{"listener", name}}, static_cast<double>(use.opened));
    }
  return {std::move(open), std::move(all)};
}

} // namespace crosvisor::transport
