// SPDX-License-Identifier: Apache-2.0
// The actor that owns one VM: its VMM's process, its subscribers, its life.
#pragma once

#include "crosvisor/actors/event_feed.hpp"
#include "crosvisor/actors/hang_watch.hpp"
#include "crosvisor/actors/monitor_set.hpp"
#include "crosvisor/actors/output_readers.hpp"
#include "crosvisor/actors/payload_watch.hpp"
#include "crosvisor/actors/pending_answers.hpp"
#include "crosvisor/actors/restart_plan.hpp"
#include "crosvisor/actors/vm_lifecycle.hpp"
#include "crosvisor/actors/vm_supervisor_options.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::actors {

/// What a VMM's process is to call. Each callback does one thing: it sends a message. They hold the
/// actor, and the process, which holds them, is held by the actor's state; the state's destruction
/// breaks that circle.
io::vmm_callbacks report_to(const vm_supervisor_actor& self);

/// One VM. The table in vm_lifecycle.hpp decides; the methods do.
class vm_supervisor_state {
public:
  using pointer = vm_supervisor_actor::stateful_pointer<vm_supervisor_state>;
  using info_promise = caf::typed_response_promise<vm_info>;

  static inline const char* name = "vm-supervisor";

  explicit vm_supervisor_state(pointer self)
      : self_(self), monitors_(self), feed_(self, monitors_), readers_(self, monitors_) {}
  ~vm_supervisor_state();

  vm_supervisor_actor::behavior_type make_behavior(vm_supervisor_options options);

  caf::result<vm_info> start();
  caf::result<vm_info> stop(vm_input how, caf::timespan grace);
  caf::result<vm_info> pause(io::vmm_request what);
  caf::result<balloon_info> get_balloon();
  caf::result<caf::ok_atom> set_balloon(std::uint64_t size_bytes);
  caf::result<vsock_socket> connect(std::uint32_t port, caf::timespan bound);

  caf::result<passed_fd> open_output();
  caf::result<caf::ok_atom> subscribe_to_output();

  void step_done(vm_step step);
  void up(std::int32_t pid);
  void launch_failed(caf::error why);
  void fault(std::string what);
  void exited(vmm_exit exit);
  void take_connection(std::uint32_t port, vsock_socket socket);
  void take_status(std::uint32_t life, payload_status line);
  void take_bad_status(std::uint32_t life, const std::string& what);
  void streams_done(std::uint32_t life);
  void synced();
  void hung(std::uint64_t stretch);
  void expired(std::uint64_t step);
  void tick(std::uint64_t step);
  void note(std::string key, std::string value);
  void released();
  void drain(caf::timespan grace);
  void leave();

  /// What there is to know of it. While the keeper of an adopted VM tells again what happened, no
  /// less than what was told before.
  vm_info shown() const;
  void down(const caf::actor_addr& who);

private:
  void begin(vm_supervisor_options options);
  void adopt(vm_past past);
  void begin_life();

  bool may_restart() const noexcept { return policy_ != restart_policy::never; }
  /// Keeps what each life begins with, where there may be another.
  caf::error keep_origin();
  /// Has the keeper of an adopted VM give it back.
  void fetch_origin();
  void fetch_origin_from(const std::shared_ptr<io::vmm_process>& keeper);
  /// What is to be put in for `end`, an input that may end the life: `again` where there is to be
  /// another.
  vm_input after(vm_input end);
  void restart();
  void forget_life();
  void revive();
  void go_on_reviving();
  void step_aside();
  /// The life is there: whoever looks for the VM finds it, and not the one before.
  void forget_last_life();
  void revive_later(std::string why);
  void begin_again(claimed_cid vsock);
  void give_up(const std::string& why);
  void make_streams();

  /// Runs one input through the table; false when the table rejects it.
  bool apply(vm_input input);
  void act(vm_action action);

  bool needs_images() const;
  void build();
  void cancel_build();
  void built(const io::image_product& product);
  void build_failed(caf::error why);
  void launch();
  void note_life();
  void note_last_life();
  void keep_note(std::string key, std::string value);
  void announce();
  void ask_guest();
  void press_power_button();
  void ask_to_quit();
  void finish_streams();
  void bury();
  /// How the present life ended, as far as it is known.
  vmm_exit judged() const;
  void release_process();
  void answer_the_waiting();

  /// From here on the guest must speak; for one that speaks the protocol.
  void watch_for_hangs();
  void pause_hang_watch(bool suspended);
  void arm_hang_watch();
  void output_connected();
  void tell(const std::vector<payload_news>& news, const std::string& words);
  caf::error no_vsock() const;

  /// Whether what may still be done to the VM explains its end.
  bool is_ending_open() const { return phase_ < vm_phase::finishing; }

  /// Enters a new phase's time: what was armed before counts no more.
  void arm(caf::timespan bound);

  /// The completion of a request to the VMM, whose answer comes back as a message.
  io::vmm_process::completion completion(pending_answers::handler handle);
  /// The same for a rung of the stop ladder: no is as good as too late.
  io::vmm_process::completion rung();

  /// Ends the VM on request; one that is being taken back once its keeper has told all.
  void end(vm_ending ending);
  /// Keeps in mind, and in its notes, why it is being ended, unless there is another reason.
  void begin_end(const vm_ending& ending);
  void go_on_ending(const vm_ending& ending);

  void set_state(vm_state state, std::string detail = {});
  void tell(vm_event_kind kind, std::string detail = {});
  std::string doing() const;
  caf::error not_now(const char* what) const;
  log::about_vm about() const noexcept { return {info_.cid, info_.name}; }

  pointer self_;
  std::shared_ptr<io::vmm_launcher> launcher_;
  vm_timeouts timeouts_;
  registry_actor registry_;
  image_builder_pool_actor images_;
  bool privileged_ports_ = false;
  io::launch_request request_; ///< Its files go to the launcher with the start.
  io::vm_notes notes_;         ///< What the VM's keeper has, or will be given.
  std::vector<vm_step> steps_; ///< Done since the last event that has any.
  std::int64_t build_began_us_ = 0;
  std::shared_ptr<io::job_control> build_; ///< Null: nothing is being built.
  std::shared_ptr<io::vmm_process> process_;
  /// Of the life before, which stands for the VM until this one is up or has ended. Null: none.
  std::shared_ptr<io::vmm_process> last_;
  std::shared_ptr<io::guest_streams> streams_;               ///< Of this life. Null: no vsock.
  std::shared_ptr<io::guest_stream_factory> stream_factory_; ///< The same.

  vm_phase phase_ = vm_phase::created;
  vm_info info_;
  monitor_set monitors_;
  event_feed feed_;
  output_readers readers_;
  payload_watch payload_;
  hang_watch hang_watch_;
  std::size_t ignored_lines_ = 0;     ///< Of the status channel.
  std::vector<payload_status> early_; ///< Status lines that came before the VMM was up.
  bool early_output_ = false;         ///< The same for an output connection.
  caf::timespan started_timeout_{};   ///< Zero: the guest speaks no protocol.

  std::uint64_t step_ = 0; ///< The number of the timer that counts.
  caf::timespan grace_{};  ///< What the guest gets to heed the power button.
  end_cause cause_ = end_cause::none;
  std::string fault_;       ///< Or what a hung guest was waited for.
  caf::error launch_error_; ///< What `start` is answered when the launch failed.
  bool had_started_ = false;
  bool draining_ = false;
  bool released_ = false;
  bool releasing_ = false;        ///< The process was told to.
  bool steps_aside_ = false;      ///< The same.
  bool streams_finished_ = false; ///< They were told to.
  bool replaying_ = false;        ///< Adopted, and its keeper has not told all yet.
  std::optional<vm_ending> held_; ///< To be done after that.

  restart_policy policy_ = restart_policy::never;
  restart_plan plan_;
  caf::timespan restart_in_{};
  std::shared_ptr<const io::vm_origin> origin_; ///< Null: there is no next life, or it is fetched.
  bool fetches_origin_ = false;
  bool claims_cid_ = false;    ///< In the kernel.
  bool ever_started_ = false;  ///< In any life; without, there is nothing to start again.
  bool stopped_ = false;       ///< On request: there is no next life.
  bool between_lives_ = false; ///< `info_.exit` is of the last one.
  std::string revive_problem_; ///< Why there was no next life at the last try.
  std::string given_up_;       ///< Why there is none.

  std::vector<info_promise> starting_; ///< Wait for started.
  std::vector<info_promise> stopping_; ///< Wait for dead.
  pending_answers answers_;
};

/// Supervises one VM, from `created`, or from when its keeper gives it back, to some time after its
/// death, through as many lives as its policy wants. Sends vm_events to subscribers,
/// pieces of output to readers and vm_info to the registry, monitors subscribers and readers, and
/// ends normally once the VM is dead, its runtime directory is gone, and it was remembered for
/// vm_timeouts::forget. Letting go of its state kills the VMM, so no VM outlives its supervisor.
vm_supervisor_actor::behavior_type
vm_supervisor(vm_supervisor_actor::stateful_pointer<vm_supervisor_state> self,
              vm_supervisor_options options);

} // namespace crosvisor::actors
