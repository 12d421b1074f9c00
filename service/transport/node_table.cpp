// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/node_table.hpp"

#include <iterator>
#include <utility>

namespace crosvisor::transport {

node_table::answer node_table::bind(const node_key& node, const caller& who,
                                    std::shared_ptr<io::outflow> to) {
  std::lock_guard guard{mutex_};
  if (bound_.count(node) != 0)
    return answer::in_use;
  forget_old(now_());
  auto before = past_.find(node);
  if (before != past_.end()) {
    if (!same_principal(before->second.who, who))
      return answer::anothers;
    ends_.erase(before->second.place);
    past_.erase(before);
  }
  bound_.emplace(node, present{who, std::move(to)});
  return answer::bound;
}

void node_table::free(const node_key& node) {
  std::lock_guard guard{mutex_};
  auto found = bound_.find(node);
  if (found == bound_.end())
    return;
  auto who = std::move(found->second.who);
  who.groups.clear();
  bound_.erase(found);
  auto now = now_();
  ends_.emplace_back(node, now + node_grace);
  past_.emplace(node, past{std::move(who), std::prev(ends_.end())});
  forget_old(now);
}

std::optional<caller> node_table::find(const node_key& node) const {
  std::lock_guard guard{mutex_};
  auto found = bound_.find(node);
  if (found == bound_.end())
    return std::nullopt;
  return found->second.who;
}

std::shared_ptr<io::outflow> node_table::outflow_to(const node_key& node) const {
  std::lock_guard guard{mutex_};
  auto found = bound_.find(node);
  return found == bound_.end() ? nullptr : found->second.to;
}

std::size_t node_table::size() const {
  std::lock_guard guard{mutex_};
  return bound_.size();
}

std::size_t node_table::remembered() const {
  std::lock_guard guard{mutex_};
  return past_.size();
}

void node_table::forget_old(std::chrono::steady_clock::time_point now) {
  while (!ends_.empty() && (ends_.size() > max_remembered_nodes || ends_.front().second <= now)) {
    past_.erase(ends_.front().first);
    ends_.pop_front();
  }
}

} // namespace crosvisor::transport
