// SPDX-License-Identifier: Apache-2.0
// Who keeps a VM alive.
#pragma once

#include "crosvisor/messages/caller.hpp"

#include <caf/actor_addr.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace crosvisor::door {

/// The references to one VM: those of actors, those that are kept for a while after a connection
/// was lost, and one that is nobody's. A value: its owner monitors the holders and has the clock.
class reference_ledger {
public:
  /// Gives `holder` a reference; once, however often it is repeated. One that its principal lost is
  /// replaced by it.
  void attach(const caf::actor_addr& holder, const caller& who);

  /// Takes it away.
  /// @returns whether there was one.
  bool detach(const caf::actor_addr& holder);

  /// Turns a holder's reference into one of its principal's, which expires by its number. Several
  /// of one principal count as one, with the last number.
  /// @returns whether there was one.
  bool lose(const caf::actor_addr& holder, std::uint64_t number);

  /// Gives a principal a reference that is lost already, of a holder that an earlier ledger had.
  void add_lost(const caller& who, std::uint64_t number);

  /// The time of a lost one is over.
  void expire(std::uint64_t number);

  void hold() noexcept { held_ = true; }
  void drop() noexcept { held_ = false; }

  /// Drops all.
  /// @returns who held them.
  std::vector<caf::actor_addr> clear();

  /// Whose references there are, each principal once; that which is nobody's is not among them.
  std::vector<caller> principals() const;
  bool is_held() const noexcept { return held_; }

  bool has(const caf::actor_addr& holder) const { return holders_.contains(holder); }
  /// How many actors of a principal's hold one.
  std::size_t count(const caller& who) const;
  /// The most that any principal's do.
  std::size_t most() const;
  bool empty() const noexcept { return holders_.empty() && lost_.empty() && !held_; }

private:
  struct lost_reference {
    caller who;
    std::uint64_t number;
  };

  void take_over(const caller& who);

  std::map<caf::actor_addr, caller> holders_;
  std::vector<lost_reference> lost_;
  bool held_ = false;
};

} // namespace crosvisor::door
