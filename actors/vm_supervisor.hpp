// SPDX-License-Identifier: Apache-2.0
// The actor that owns one VM: its VMM's process, its subscribers, its life.
#pragma once

#include "crosvisor/actors/event_feed.hpp"
#include "crosvisor/actors/pending_answers.hpp"
#include "crosvisor/actors/timeouts.hpp"
#include "crosvisor/actors/vm_lifecycle.hpp"
#include "crosvisor/io/backend.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <memory>
#include <string>
#include <vector>

namespace crosvisor::actors {

/// What there is to know of a VM that was just created, now.
vm_info describe_new_vm(vm_cid cid, const vm_config& config, const vmm_choice& choice);

/// What a supervisor is made from.
struct vm_supervisor_options {
  io::launch_request request;
  vm_info info; ///< As describe_new_vm() makes it.
  std::shared_ptr<io::vmm_launcher> launcher;
  vm_timeouts timeouts;
  registry_actor registry;
};

/// One VM. The table in vm_lifecycle.hpp decides; the methods do.
class vm_supervisor_state {
public:
  using pointer = vm_supervisor_actor::stateful_pointer<vm_supervisor_state>;
  using info_promise = caf::typed_response_promise<vm_info>;

  static inline const char* name = "vm-supervisor";

  explicit vm_supervisor_state(pointer self) : self_(self), feed_(self) {}

  vm_supervisor_actor::behavior_type make_behavior(vm_supervisor_options options);

  caf::result<vm_info> start();
  caf::result<vm_info> stop(vm_input how, caf::timespan grace);
  caf::result<vm_info> pause(io::vmm_request what);
  caf::result<balloon_info> get_balloon();
  caf::result<caf::ok_atom> set_balloon(std::uint64_t size_bytes);

  void up(std::int32_t pid);
  void launch_failed(caf::error why);
  void fault(std::string what);
  void exited(vmm_exit exit);
  void expired(std::uint64_t step);
  void press_again(std::uint64_t step);
  void released();
  void drain(caf::timespan grace);

private:
  /// Runs one input through the table; false when the table rejects it.
  bool apply(vm_input input);
  void act(vm_action action);

  void launch();
  void ask_guest();
  void press_power_button();
  void ask_to_quit();
  void bury();
  void answer_the_waiting();

  /// Enters a new phase's time: what was armed before counts no more.
  void arm(caf::timespan bound);

  /// The completion of a request to the VMM, whose answer comes back as a message.
  io::vmm_process::completion completion(pending_answers::handler handle);
  /// The same for a rung of the stop ladder: no is as good as too late.
  io::vmm_process::completion rung();

  void set_state(vm_state state, std::string detail = {});
  void tell(vm_event_kind kind, std::string detail = {});
  caf::error not_now(const char* what) const;

  pointer self_;
  std::shared_ptr<io::vmm_launcher> launcher_;
  vm_timeouts timeouts_;
  registry_actor registry_;
  io::launch_request request_; ///< Its files go to the launcher with the start.
  std::shared_ptr<io::vmm_process> process_;

  vm_phase phase_ = vm_phase::created;
  vm_info info_;
  event_feed feed_;

  std::uint64_t step_ = 0; ///< The number of the timer that counts.
  caf::timespan grace_{};  ///< What the guest gets to heed the power button.
  end_cause cause_ = end_cause::none;
  std::string fault_;
  caf::error launch_error_; ///< What `start` is answered when the launch failed.
  bool had_started_ = false;
  bool draining_ = false;
  bool released_ = false;

  std::vector<info_promise> starting_; ///< Wait for started.
  std::vector<info_promise> stopping_; ///< Wait for dead.
  pending_answers answers_;
};

/// Supervises one VM, from `created` to some time after its death. Sends vm_events to subscribers
/// and vm_info to the registry, monitors subscribers, and ends normally once the VM is dead, its
/// runtime directory is gone, and it was remembered for vm_timeouts::forget. Letting go of its
/// state kills the VMM, so no VM outlives its supervisor.
vm_supervisor_actor::behavior_type
vm_supervisor(vm_supervisor_actor::stateful_pointer<vm_supervisor_state> self,
              vm_supervisor_options options);

} // namespace crosvisor::actors
