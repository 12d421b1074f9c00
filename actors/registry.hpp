// SPDX-License-Identifier: Apache-2.0
// The actor that owns the CIDs and the table of VMs.
#pragma once

#include "crosvisor/actors/cid_pool.hpp"
#include "crosvisor/actors/timeouts.hpp"
#include "crosvisor/actors/vm_supervisor_options.hpp"
#include "crosvisor/io/backend.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::actors {

struct registry_options {
  cid_range cids;
  vm_timeouts timeouts;
  std::shared_ptr<io::vmm_launcher> launcher;
  std::shared_ptr<io::cid_claimer> claimer;
  std::shared_ptr<io::cid_store> last_cid;
  /// Null: there is no vsock for guests here.
  std::shared_ptr<io::guest_stream_factory> streams;
  bool privileged_ports = false;   ///< See vm_supervisor_options.
  image_builder_pool_actor images; ///< See vm_supervisor_options.
  /// VMs that are there already, and what was told of them.
  std::vector<io::kept_vm> kept = {};
  std::map<vm_cid, vm_history> histories = {};
};

class registry_state {
public:
  using pointer = registry_actor::stateful_pointer<registry_state>;

  static inline const char* name = "registry";

  explicit registry_state(pointer self) : self_(self) {}
  ~registry_state();

  registry_actor::behavior_type make_behavior(registry_options options);

  caf::result<vm_actor, vm_info> create(vm_config config, vm_files files, vmm_choice choice,
                                        caller owner);
  caf::result<vm_actor> find(vm_cid cid) const;
  caf::result<vm_actor> find(const vm_name& name) const;
  caf::result<vm_supervisor_actor> find_supervisor(vm_cid cid) const;
  std::vector<vm_info> list() const;
  adopted_vms adopted() const;
  void update(vm_info info);
  std::vector<metric_family> metrics() const;
  caf::result<caf::ok_atom> drain(caf::timespan grace);
  caf::result<caf::ok_atom> leave();
  caf::result<claimed_cid> reclaim(vm_cid cid);

private:
  struct entry {
    vm_supervisor_actor supervisor;
    vm_info info;
    /// Holds the CID in the kernel as long as the VM has it.
    std::shared_ptr<const io::unique_fd> vsock;
    /// Whether there is such a descriptor.
    bool in_kernel = false;
    /// Of one that was adopted: its notes then.
    std::optional<io::vm_notes> notes = {};
  };

  struct fresh_cid {
    vm_cid cid;
    std::shared_ptr<const io::unique_fd> vsock;
  };

  /// A free CID that no other program on the host has.
  caf::expected<fresh_cid> claim();
  /// Takes a VM back that its keeper has.
  void adopt(io::kept_vm kept);
  /// Holds its CID, as far as its keeper does not.
  void claim_again(io::kept_vm& kept);
  vm_supervisor_actor supervise(io::launch_request request, vm_info info,
                                std::optional<vm_past> past, std::vector<vm_step> steps);
  caf::result<caf::ok_atom> answer_when_empty();
  metric_family count_vms() const;
  metric_family count_connections() const;
  const entry* living(const vm_name& name) const;
  void forget(const caf::actor_addr& supervisor);

  pointer self_;
  registry_options options_;
  std::unique_ptr<cid_pool> pool_;
  std::map<vm_cid, entry> vms_;
  std::map<std::pair<std::string, bool>, std::uint64_t> connections_; ///< By port; taken or not.
  std::uint64_t adopted_count_ = 0;
  bool draining_ = false;
  std::vector<caf::typed_response_promise<caf::ok_atom>> drained_;
};

/// Adopts the VMs that are kept, before it does anything else. Allocates CIDs, spawns a supervisor
/// for each VM and monitors it; its going down is the one thing that frees a CID. A supervisor that
/// goes down with an error is a bug or a lost resource and logged as such. Ends with the service,
/// and all supervisors with it.
registry_actor::behavior_type registry(registry_actor::stateful_pointer<registry_state> self,
                                       registry_options options);

} // namespace crosvisor::actors
