// SPDX-License-Identifier: Apache-2.0
// How much of something there may be: for each principal, for each VM, in all.
#pragma once

#include "crosvisor/messages/caller.hpp"
#include "crosvisor/messages/error.hpp"
#include "crosvisor/messages/fwd.hpp"
#include "crosvisor/messages/limit_info.hpp"

#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::door {

/// What a bound is called.
struct bound_name {
  std::string name; ///< As limit_info has it; its key is `limits.` and this.
  std::string what; ///< In a sentence: `VMs`.
};

/// Counts what each principal has. Use from one thread; tokens may outlive it.
class quota {
public:
  /// One that is counted, until the last copy goes.
  using token = std::shared_ptr<const void>;

  /// No room for anybody.
  quota() = default;

  /// @param name of the bound in all; that of each principal has `_per_user` added.
  quota(bound_name name, std::size_t in_all, std::size_t per_user)
      : name_(std::move(name)), in_all_(in_all), per_user_(per_user) {}

  /// One more for `who`; busy where they have as many as they may, or where all together have.
  caf::expected<token> take(const caller& who);

  /// One that is there already, whatever the bounds are.
  token count(const caller& who);

  /// How many principals have any.
  std::size_t principals() const noexcept { return counts_->of.size(); }

  /// Adds the two bounds as they are.
  void show(std::vector<limit_info>& to) const;

  /// Adds that of one principal.
  void show_own(std::vector<limit_info>& to, const caller& who) const;

private:
  struct share {
    std::size_t used = 0;
    std::uint64_t refused = 0;
  };
  struct counts {
    std::map<std::string, share> of;
    std::size_t all = 0;
  };

  limit_info per_user_info(std::size_t used, std::uint64_t refused) const;

  bound_name name_;
  std::size_t in_all_ = 0;
  std::size_t per_user_ = 0;
  std::uint64_t refused_in_all_ = 0;
  std::uint64_t refused_per_user_ = 0;
  std::shared_ptr<counts> counts_ = std::make_shared<counts>();
};

/// How much of something one VM may have. Its user counts.
class vm_bound {
public:
  vm_bound() = default;

  vm_bound(bound_name name, std::size_t limit) : name_(std::move(name)), limit_(limit) {}

  /// No error where there is room for one more; else busy.
  caf::error check(vm_cid cid, std::size_t used);

  /// The same of what one principal has of a VM.
  caf::error check(vm_cid cid, const caller& who, std::size_t used);

  std::size_t limit() const noexcept { return limit_; }

  /// Another than check() refused.
  void count_refusal() noexcept { ++refused_; }

  std::string key() const { return "limits." + name_.name; }

  limit_info info(std::size_t used) const;

private:
  bound_name name_;
  std::size_t limit_ = 0;
  std::uint64_t refused_ = 0;
};

} // namespace crosvisor::door
