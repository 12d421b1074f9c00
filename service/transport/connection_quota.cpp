// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/connection_quota.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::transport {

std::shared_ptr<connection_quota>
connection_quota::make(const peer_limits& limits, std::shared_ptr<std::atomic<std::size_t>> all) {
  return std::shared_ptr<connection_quota>{new connection_quota(limits, std::move(all))};
}

connection_quota::connection_quota(const peer_limits& limits,
                                   std::shared_ptr<std::atomic<std::size_t>> all)
    : limits_(limits), all_(std::move(all)) {}

std::unique_ptr<connection_slot> connection_quota::open() {
  std::lock_guard guard{mutex_};
  if (open_ >= limits_.connections || unknown_ >= (limits_.connections + 1) / 2) {
    ++refused_;
    return nullptr;
  }
  ++open_;
  ++opened_;
  ++unknown_;
  ++*all_;
  return std::unique_ptr<connection_slot>{new connection_slot(shared_from_this())};
}

connection_quota::usage connection_quota::use(const caller* of) const {
  auto principal = of != nullptr ? to_string(*of) : std::string{};
  std::lock_guard guard{mutex_};
  usage now{open_, 0, refused_, of == nullptr ? refused_per_principal_ : 0, opened_};
  for (const auto& [who, part] : shares_) {
    if (of != nullptr && who != principal)
      continue;
    now.most = std::max(now.most, part.connections);
    if (of != nullptr)
      now.refused_per_principal = part.refused;
  }
  return now;
}

connection_slot::connection_slot(std::shared_ptr<connection_quota> quota)
    : quota_(std::move(quota)) {}

connection_slot::~connection_slot() {
  std::lock_guard guard{quota_->mutex_};
  --quota_->open_;
  --*quota_->all_;
  if (principal_.empty())
    --quota_->unknown_;
  auto share = quota_->shares_.find(principal_);
  if (share == quota_->shares_.end())
    return;
  share->second.bytes -= bytes_;
  if (!principal_.empty())
    --share->second.connections;
  if (share->second.connections == 0 && share->second.bytes == 0)
    quota_->shares_.erase(share);
}

bool connection_slot::assign(const caller& who) {
  std::lock_guard guard{quota_->mutex_};
  auto principal = to_string(who);
  auto known = quota_->shares_.find(principal);
  if (known != quota_->shares_.end()
      && known->second.connections >= quota_->limits_.connections_per_principal) {
    ++known->second.refused;
    ++quota_->refused_per_principal_;
    return false;
  }
  quota_->shares_[""].bytes -= bytes_;
  principal_ = std::move(principal);
  auto& share = quota_->shares_[principal_];
  ++share.connections;
  share.bytes += bytes_;
  --quota_->unknown_;
  return true;
}

bool connection_slot::hold(std::size_t bytes) {
  std::lock_guard guard{quota_->mutex_};
  auto& share = quota_->shares_[principal_];
  share.bytes = share.bytes - bytes_ + bytes;
  bytes_ = bytes;
  // Not the one that brings it over, but those that have more than their part: a client is not cut
  // off for another one of the same user's.
  auto most = quota_->bytes_per_principal();
  return share.bytes <= most || bytes <= most / std::max(share.connections, std::size_t{1});
}

} // namespace crosvisor::transport
