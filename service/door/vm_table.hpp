// SPDX-License-Identifier: Apache-2.0
// The VMs that were created through the door.
#pragma once

#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/door/audience.hpp"
#include "crosvisor/service/door/door_metrics.hpp"
#include "crosvisor/service/door/quota.hpp"
#include "crosvisor/service/door/reference_ledger.hpp"

#include <caf/actor_addr.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::door {

/// Who a VM is, and whose.
struct vm_identity {
  vm_cid cid = no_cid;
  vm_name name;
  /// Who may use it: its owner, then whom it was passed to.
  std::vector<caller> users;
  /// When it was created: with its CID, which VM it is; also for a door after this one.
  std::int64_t created_ms = 0;
  /// Counts the VMs of a door: a CID and a name come again, this does not.
  std::uint64_t serial = 0;

  bool is_used_by(const caller& who) const;
};

/// What the door has of one VM, from its creation until its supervisor is gone.
struct vm_entry {
  /// Whoever reads a VM's output through the door, and the actor that does it for them.
  struct reader {
    output_relay_actor relay;
    quota::token counted;
  };

  vm_identity id;
  vm_actor handle;
  quota::token counted;
  measured_start measured = {};
  /// Shared by each connection to it that is not made yet.
  std::shared_ptr<const void> connecting = std::make_shared<char>();
  /// When it was started again, within the window of restart_limits.
  std::deque<std::chrono::steady_clock::time_point> restarts = {};
  reference_ledger references = {};
  /// Its last reference is gone: it is being stopped, whoever attaches now.
  bool unwanted = false;
  /// What late subscribers are told first; `seq` 0: nothing happened yet.
  vm_event last_state = {};
  std::uint64_t last_seq = 0;
  /// What was noted of it last for who adopts it.
  std::string noted_references = {};
  std::string noted_users = {};
  audience subscribers = {};
  std::map<caf::actor_addr, reader> readers = {};

  /// How many connections to it are not made yet.
  std::size_t connects() const noexcept {
    return static_cast<std::size_t>(connecting.use_count() - 1);
  }

  bool is_dead() const noexcept { return last_state.state == vm_state::dead; }
};

class vm_table {
public:
  /// How many VMs that are forgotten are remembered for those who ask for their logs; 64 before it.
  void remember_at_most(std::size_t most) { most_remembered_ = most; }

  /// Entries stay where they are until they are forgotten.
  vm_entry& add(vm_entry entry);

  vm_entry* find(vm_cid cid);
  vm_entry* find_living(const vm_name& name);
  vm_entry* find(const caf::actor_addr& vm);

  /// Every VM with that CID (a number) or name, the newest first: those that are there, and then
  /// those that are remembered.
  std::vector<vm_identity> find_all(const std::string& cid_or_name) const;

  /// Removes a VM, and remembers whose it was.
  void forget(vm_cid cid);

  /// Remembers one that this table never had.
  void remember(vm_identity id);

  std::map<vm_cid, vm_entry>& all() noexcept { return vms_; }

private:
  void remember_as_it_is(vm_identity id);

  std::map<vm_cid, vm_entry> vms_;
  std::deque<vm_identity> remembered_;
  std::size_t most_remembered_ = 64;
  std::uint64_t last_serial_ = 0;
};

} // namespace crosvisor::door
