// SPDX-License-Identifier: Apache-2.0
// Who is told of events.
#pragma once

#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/door/quota.hpp"

#include <caf/actor_addr.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <vector>

namespace crosvisor::door {

/// Those who are told, each once. A value: its owner monitors them.
class audience {
public:
  bool has(const caf::actor_addr& who) const { return members_.contains(who); }

  void add(const caf::strong_actor_ptr& who, const caller& of, quota::token counted);

  /// @returns whether it was one.
  bool remove(const caf::actor_addr& who) { return members_.erase(who) > 0; }

  /// Removes all.
  /// @returns who they were.
  std::vector<caf::actor_addr> clear();

  /// Calls `tell` for each whose caller may still know. The others are removed: a permission that
  /// is taken away ends what it allowed.
  /// @returns who was removed.
  std::vector<caf::actor_addr> each(const std::function<bool(const caller&)>& may,
                                    const std::function<void(const subscriber_actor&)>& tell);

  std::size_t size() const noexcept { return members_.size(); }

private:
  struct member {
    subscriber_actor actor;
    caller who;
    quota::token counted;
  };

  std::map<caf::actor_addr, member> members_;
};

} // namespace crosvisor::door
