// SPDX-License-Identifier: Apache-2.0
// A keeper that was there before this process, or what it left.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/keeper/keeper_host.hpp"
#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <map>
#include <memory>
#include <set>

namespace crosvisor::io {

struct found_keeper {
  kept_vm vm;
  /// What its launch says of it, without files; see vmm_process::get_origin().
  std::shared_ptr<const vm_origin> origin;
  unique_fd socket; ///< Its connection, after its hello; none: it has ended.
  unique_fd pidfd;  ///< Its own; none likewise.
  kept_life which = kept_life::present;
};

struct found_keepers {
  std::map<vm_cid, found_keeper> all;
  /// The lives before, of those among them that may not have begun.
  std::map<vm_cid, found_keeper> last;
  std::set<vm_cid> unusable; ///< See keeper_backend.
};

/// Looks at every record. Those that live have said hello; of the others all but the record is
/// removed. A record without a launch was never a VM's, and goes too. Of a VM with two lives both
/// are found while both have keepers; else one, and the other goes: the last one, when the next one
/// has ended, else the next one. Blocks for at most `bound` and as long as removing takes.
found_keepers find_keepers(const keeper_places& places, const std::string& boot_id,
                           std::chrono::milliseconds bound);

} // namespace crosvisor::io
