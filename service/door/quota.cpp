// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/quota.hpp"

#include "crosvisor/service/door/gate.hpp"

#include "crosvisor/io/logged_events.hpp"

#include <algorithm>

namespace crosvisor::door {

namespace {

caf::error busy(std::string sentence) {
  log::event(log::logged_event::limit_reached, "door refuses a request: {}", sentence);
  return caf::make_error(vm_errc::busy, std::move(sentence));
}

std::string as_many(const std::string& whose, const std::string& key) {
  return ", as many as " + whose + " (" + key + ')';
}

} // namespace

// -- of principals ------------------------------------------------------------

caf::expected<quota::token> quota::take(const caller& who) {
  auto own = counts_->of.find(to_string(who));
  if (own != counts_->of.end() && own->second.used >= per_user_) {
    ++own->second.refused;
    ++refused_per_user_;
    return busy(shown(who) + " has " + std::to_string(own->second.used) + ' ' + name_.what
                + as_many("one user may have", "limits." + name_.name + "_per_user"));
  }
  if (counts_->all >= in_all_) {
    ++refused_in_all_;
    return busy("there are " + std::to_string(counts_->all) + ' ' + name_.what
                + as_many("there may be", "limits." + name_.name));
  }
  return count(who);
}

quota::token quota::count(const caller& who) {
  // A name of its own for each principal: see same_principal().
  auto name = to_string(who);
  ++counts_->of[name].used;
  ++counts_->all;
  return {counts_.get(), [all = counts_, name](const void*) {
            --all->all;
            if (auto own = all->of.find(name); --own->second.used == 0)
              all->of.erase(own);
          }};
}

limit_info quota::per_user_info(std::size_t used, std::uint64_t refused) const {
  auto name = name_.name + "_per_user";
  return {name, "limits." + name, used, per_user_, refused};
}

void quota::show(std::vector<limit_info>& to) const {
  std::size_t most = 0;
  for (const auto& [who, own] : counts_->of)
    most = std::max(most, own.used);
  to.push_back({name_.name, "limits." + name_.name, counts_->all, in_all_, refused_in_all_});
  to.push_back(per_user_info(most, refused_per_user_));
}

void quota::show_own(std::vector<limit_info>& to, const caller& who) const {
  auto own = counts_->of.find(to_string(who));
  to.push_back(own == counts_->of.end() ? per_user_info(0, 0)
                                        : per_user_info(own->second.used, own->second.refused));
}

// -- of VMs -------------------------------------------------------------------

caf::error vm_bound::check(vm_cid cid, std::size_t used) {
  if (used < limit_)
    return {};
  ++refused_;
  return busy("VM " + std::to_string(cid) + " has " + std::to_string(used) + ' ' + name_.what
              + as_many("one VM may have", key()));
}

caf::error vm_bound::check(vm_cid cid, const caller& who, std::size_t used) {
  if (used < limit_)
    return {};
  ++refused_;
  return busy(shown(who) + " has " + std::to_string(used) + ' ' + name_.what + " VM "
              + std::to_string(cid) + as_many("one user may have", key()));
}

limit_info vm_bound::info(std::size_t used) const {
  return {name_.name, key(), used, limit_, refused_};
}

} // namespace crosvisor::door
