// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/reference_ledger.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace crosvisor::door {

void reference_ledger::take_over(const caller& who) {
  std::erase_if(lost_, [&](const lost_reference& lost) { return same_principal(lost.who, who); });
}

void reference_ledger::attach(const caf::actor_addr& holder, const caller& who) {
  take_over(who);
  holders_.emplace(holder, who);
}

bool reference_ledger::detach(const caf::actor_addr& holder) {
  return holders_.erase(holder) > 0;
}

bool reference_ledger::lose(const caf::actor_addr& holder, std::uint64_t number) {
  auto node = holders_.extract(holder);
  if (!node)
    return false;
  add_lost(node.mapped(), number);
  return true;
}

void reference_ledger::add_lost(const caller& who, std::uint64_t number) {
  take_over(who);
  lost_.push_back({who, number});
}

std::vector<caller> reference_ledger::principals() const {
  std::vector<caller> all;
  auto add = [&](const caller& who) {
    if (std::none_of(all.begin(), all.end(),
                     [&](const caller& known) { return same_principal(known, who); }))
      all.push_back(who);
  };
  for (const auto& [holder, who] : holders_)
    add(who);
  for (const auto& lost : lost_)
    add(lost.who);
  return all;
}

void reference_ledger::expire(std::uint64_t number) {
  std::erase_if(lost_, [&](const lost_reference& lost) { return lost.number == number; });
}

std::vector<caf::actor_addr> reference_ledger::clear() {
  std::vector<caf::actor_addr> holders;
  for (const auto& [holder, who] : std::exchange(holders_, {}))
    holders.push_back(holder);
  lost_.clear();
  held_ = false;
  return holders;
}

std::size_t reference_ledger::most() const {
  std::map<std::string, std::size_t> counts;
  std::size_t most = 0;
  for (const auto& [holder, who] : holders_)
    most = std::max(most, ++counts[to_string(who)]);
  return most;
}

std::size_t reference_ledger::count(const caller& who) const {
  return static_cast<std::size_t>(
    std::count_if(holders_.begin(), holders_.end(),
                  [&](const auto& holder) { return same_principal(holder.second, who); }));
}

} // namespace crosvisor::door
