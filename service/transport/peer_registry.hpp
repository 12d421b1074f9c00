// SPDX-License-Identifier: Apache-2.0
// What stands behind `peers`.
#pragma once

#include "crosvisor/service/transport/connection_quota.hpp"
#include "crosvisor/service/transport/node_table.hpp"
#include "crosvisor/service/transport/transport.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::transport {

/// The only implementation of `peers`, which the listeners write to.
class peer_registry final : public peers {
public:
  peer_registry(const caf::actor_system& system, caller own);

  /// A sender of this process is `own`. One whose connection has ended is nobody, whoever has its
  /// node id now.
  std::optional<caller> find(const caf::strong_actor_ptr& sender) const override;

  std::size_t connections() const override { return *open_; }

  std::vector<limit_info> limits(const caller* of) const override;
  std::vector<metric_family> metrics() const override;

  const std::shared_ptr<node_table>& nodes() const noexcept { return nodes_; }

  /// A listener's.
  std::shared_ptr<connection_quota> make_quota(const listen_options& options) const;

private:
  const caf::actor_system& system_;
  caller own_;
  std::shared_ptr<node_table> nodes_ = std::make_shared<node_table>();
  mutable std::mutex mutex_; ///< Of what follows.
  /// The listeners', by their names.
  mutable std::vector<std::pair<std::string, std::weak_ptr<connection_quota>>> quotas_;
  std::shared_ptr<std::atomic<std::size_t>> open_ = std::make_shared<std::atomic<std::size_t>>(0);
};

} // namespace crosvisor::transport
