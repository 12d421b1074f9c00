// SPDX-License-Identifier: Apache-2.0
// The queue of free CIDs. A value: no thread, no clock, no host.
#pragma once

#include "crosvisor/messages/fwd.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <set>

namespace crosvisor::actors {

/// A closed range of CIDs.
struct cid_range {
  /// Android's range for VMs of its own: below are well-known CIDs, above are ports.
  vm_cid first = 2048;
  vm_cid last = 65535;
};

/// Hands out the CIDs of a range in a circle. A released one goes to the back of the queue, so that
/// it is reused as late as can be: a peer that still holds it talks to nobody rather than to a
/// stranger.
class cid_pool {
public:
  /// @param range first is 3 or more (0 to 2 are no VM's) and not above last.
  /// @param last_used where an earlier pool stopped; no_cid, or one outside the range, begins anew.
  cid_pool(cid_range range, vm_cid last_used);

  /// The CID that has been free for longest, or nothing when all are in use.
  std::optional<vm_cid> allocate();

  /// Takes this very one, of a VM that is older than the pool.
  /// @returns whether it was free; one outside the range is not the pool's.
  bool reserve(vm_cid cid);

  /// Puts an allocated or reserved CID to the back of the queue; one outside the range is left.
  void release(vm_cid cid);

  /// How many are free.
  std::size_t available() const noexcept;

  const cid_range& range() const noexcept { return range_; }

private:
  bool in_range(vm_cid cid) const noexcept { return cid >= range_.first && cid <= range_.last; }
  /// Of the range: whether it was never handed out.
  bool is_fresh(vm_cid cid) const noexcept;

  cid_range range_;
  vm_cid next_fresh_;
  std::size_t fresh_;         ///< How many, from next_fresh_ on and around, were never handed out.
  std::set<vm_cid> reserved_; ///< Of the fresh ones: passed over, since they were handed out.
  std::deque<vm_cid> released_;
};

} // namespace crosvisor::actors
