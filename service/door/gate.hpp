// SPDX-License-Identifier: Apache-2.0
// Where each request of the door's is checked.
#pragma once

#include "crosvisor/messages/error.hpp"
#include "crosvisor/service/caller_directory.hpp"
#include "crosvisor/service/door/vm_table.hpp"
#include "crosvisor/service/permissions.hpp"
#include "crosvisor/service/shared_grants.hpp"

#include <caf/actor_control_block.hpp>
#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace crosvisor::door {

/// That somebody may do what they ask for. A gate alone makes one, so that what takes one can't be
/// done for a sender that was not checked. Good for the message that is being handled.
class permit {
public:
  const caller& who() const noexcept { return who_; }
  /// Never null.
  const caf::strong_actor_ptr& sender() const noexcept { return sender_; }
  caf::actor_addr address() const { return caf::actor_cast<caf::actor_addr>(sender_); }

private:
  friend class gate;
  permit(caller who, caf::strong_actor_ptr sender)
      : who_(std::move(who)), sender_(std::move(sender)) {}

  caller who_;
  caf::strong_actor_ptr sender_;
};

/// The same with the one VM that it is about.
class vm_permit : public permit {
public:
  vm_entry& vm() const noexcept { return *vm_; }

private:
  friend class gate;
  vm_permit(permit by, vm_entry& vm) : permit(std::move(by)), vm_(&vm) {}

  vm_entry* vm_;
};

/// The same with the VM, which may be forgotten, of which something kept is wanted.
class log_permit : public permit {
public:
  /// Nothing: whichever there is, since every log may be read.
  const std::optional<vm_identity>& vm() const noexcept { return vm_; }

private:
  friend class gate;
  log_permit(permit by, std::optional<vm_identity> vm)
      : permit(std::move(by)), vm_(std::move(vm)) {}

  std::optional<vm_identity> vm_;
};

/// Decides by the table (door_rules()), by who the transport says that the sender is, and by whose
/// a VM is. What a message itself claims is never asked. Where somebody may not know that there is
/// a VM, the answer is the one that would be given without it.
class gate {
public:
  /// @param vms outlives this.
  gate(std::shared_ptr<const caller_directory> callers, std::shared_ptr<const shared_grants> grants,
       vm_table& vms)
      : callers_(std::move(callers)), grants_(std::move(grants)), vms_(vms) {}

  /// For a request that is about no VM.
  caf::expected<permit> enter(door_request request, const caf::strong_actor_ptr& sender) const;

  /// For a request that is about a VM.
  caf::expected<vm_permit> enter(door_request request, const caf::strong_actor_ptr& sender,
                                 vm_cid cid) const;
  caf::expected<vm_permit> enter(door_request request, const caf::strong_actor_ptr& sender,
                                 const vm_name& name) const;

  /// For read_log.
  /// @param vm a CID or a name.
  caf::expected<log_permit> enter_logs(const caf::strong_actor_ptr& sender,
                                       const std::string& vm) const;

  /// For subscribe_after: the newest VM with that CID that they may know, which may be forgotten.
  caf::expected<log_permit> enter_told(const caf::strong_actor_ptr& sender, vm_cid cid) const;

  /// Whether who was let in before would be let in again.
  bool still(door_request request, const caller& who) const;
  bool still(door_request request, const caller& who, const vm_identity& vm) const;

  /// Who sends; denied where nobody knows.
  caf::expected<caller> caller_of(const caf::strong_actor_ptr& sender) const;

private:
  caf::expected<vm_permit> enter(door_request request, const caf::strong_actor_ptr& sender,
                                 vm_entry* vm, caf::error otherwise) const;

  std::shared_ptr<const caller_directory> callers_;
  std::shared_ptr<const shared_grants> grants_;
  vm_table& vms_;
};

/// `no VM with CID 4711`, whether there is none or it is another's.
caf::error no_such_vm(vm_cid cid);
caf::error no_such_vm(const vm_name& name);

/// `no logs of a VM "demo"`, whether there are none or they are another's.
caf::error no_such_log(const std::string& cid_or_name);

/// `uid 1000`, whatever a certificate's subject holds.
std::string shown(const caller& who);

} // namespace crosvisor::door
