// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/audience.hpp"

#include <utility>

namespace crosvisor::door {

void audience::add(const caf::strong_actor_ptr& who, const caller& of, quota::token counted) {
  members_.emplace(caf::actor_cast<caf::actor_addr>(who),
                   member{caf::actor_cast<subscriber_actor>(who), of, std::move(counted)});
}

std::vector<caf::actor_addr> audience::clear() {
  std::vector<caf::actor_addr> gone;
  for (const auto& [address, one] : std::exchange(members_, {}))
    gone.push_back(address);
  return gone;
}

std::vector<caf::actor_addr>
audience::each(const std::function<bool(const caller&)>& may,
               const std::function<void(const subscriber_actor&)>& tell) {
  std::vector<caf::actor_addr> gone;
  std::erase_if(members_, [&](const auto& entry) {
    const auto& [address, one] = entry;
    if (may(one.who)) {
      tell(one.actor);
      return false;
    }
    gone.push_back(address);
    return true;
  });
  return gone;
}

} // namespace crosvisor::door
