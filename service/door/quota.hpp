// SPDX-License-Identifier: Apache-2.0
// How much of something each principal may have.
#pragma once

#include "crosvisor/messages/caller.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <string>

namespace crosvisor::door {

/// Counts what each principal has. Use from one thread; tokens may outlive it.
class quota {
public:
  /// One that is counted, until the last copy goes.
  using token = std::shared_ptr<const void>;

  explicit quota(std::size_t limit) : limit_(limit) {}

  /// One more for `who`; null where they have as many as they may.
  token take(const caller& who) {
    // A name of its own for each principal: see same_principal().
    auto name = to_string(who);
    auto& used = (*used_)[name];
    if (used >= limit_) {
      release(*used_, name, 0);
      return nullptr;
    }
    ++used;
    return {&used, [all = used_, name](const void*) { release(*all, name, 1); }};
  }

  std::size_t limit() const noexcept { return limit_; }

  /// How many principals have any.
  std::size_t principals() const noexcept { return used_->size(); }

private:
  using counts = std::map<std::string, std::size_t>;

  static void release(counts& all, const std::string& name, std::size_t how_many) {
    if (auto i = all.find(name); i != all.end() && (i->second -= how_many) == 0)
      all.erase(i);
  }

  std::size_t limit_;
  std::shared_ptr<counts> used_ = std::make_shared<counts>();
};

} // namespace crosvisor::door
