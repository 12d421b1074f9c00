// SPDX-License-Identifier: Apache-2.0
// The words that pass a VM on.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/door_messages.hpp"
#include "crosvisor/messages/fwd.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>

namespace crosvisor::door {

/// Makes words of 128 random bits, each good once, for one VM, and not for long. Its caller knows
/// the time.
class passed_words {
public:
  using time_point = std::chrono::steady_clock::time_point;

  static constexpr auto lifetime = std::chrono::minutes{5};
  io::result<ticket> make(vm_cid cid, time_point now);

  /// How many of one VM wait to be said.
  std::size_t count(vm_cid cid, time_point now);

  /// The most that any VM has.
  std::size_t most(time_point now);

  /// Which VM's it is; nothing for one that was never made, was said before, or is too old.
  std::optional<vm_cid> take(const ticket& word, time_point now);

  /// The VM is gone.
  void forget(vm_cid cid);

  std::size_t size() const noexcept { return words_.size(); }

private:
  void forget_old(time_point now);

  struct meaning {
    vm_cid cid;
    time_point until;
  };

  std::unordered_map<ticket, meaning> words_;
};

} // namespace crosvisor::door
