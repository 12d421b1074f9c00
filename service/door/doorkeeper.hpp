// SPDX-License-Identifier: Apache-2.0
// The actor that is the door.
#pragma once

#include "crosvisor/actors/monitor_set.hpp"
#include "crosvisor/service/door.hpp"
#include "crosvisor/service/door/audience.hpp"
#include "crosvisor/service/door/door_limits.hpp"
#include "crosvisor/service/door/door_metrics.hpp"
#include "crosvisor/service/door/gate.hpp"
#include "crosvisor/service/door/passed_words.hpp"
#include "crosvisor/service/door/request_files.hpp"
#include "crosvisor/service/door/stream_table.hpp"
#include "crosvisor/service/door/vm_table.hpp"

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <utility>

namespace crosvisor::door {

/// The most that a caller may give a guest to heed its power button.
inline constexpr caf::timespan max_grace = std::chrono::hours{1};
/// How many tickets a request may name.
inline constexpr std::size_t max_tickets_per_request = 4096;
/// How long a VM gets to be found dead after its end of a stream is gone.
inline constexpr caf::timespan hangup_bound = std::chrono::milliseconds{500};

/// Between zero and max_grace.
caf::timespan clamped(caf::timespan wanted);

/// Each handler names its door_request, and what it calls takes the permit that the gate makes of
/// that (let()); so none can be written that forgets to ask.
class doorkeeper_state {
public:
  using pointer = doorkeeper_actor::stateful_pointer<doorkeeper_state>;

  static inline const char* name = "door";

  explicit doorkeeper_state(pointer self) : self_(self), monitors_(self) {}
  ~doorkeeper_state() { caf::anon_send_exit(usage_reader_, caf::exit_reason::user_shutdown); }

  doorkeeper_actor::behavior_type make_behavior(door_options options);

private:
  struct log_read {
    caf::typed_response_promise<log_piece> answer;
    std::optional<vm_identity> vm; ///< Whose it must be; nothing: anybody's.
    std::string wanted;            ///< As the query says it.
    quota::token counted;
  };

  struct metrics_waiter {
    caf::typed_response_promise<std::vector<metric_family>> answer;
    quota::token counted;
  };

  void begin(door_options options);

  // -- what each request comes to ---------------------------------------------

  void create(const permit& by, vm_config config, vm_files files,
              caf::typed_response_promise<vm_info> answer);
  void create_opened(const permit& by, vm_config config, vm_files files,
                     caf::typed_response_promise<vm_info> answer);
  caf::result<vm_info> get_state(const vm_permit& by);
  caf::result<std::vector<vm_info>> list(const permit& by);
  caf::result<host_info> get_host(const permit& by);
  caf::result<std::vector<limit_info>> get_limits(const permit& by);
  caf::result<std::vector<metric_family>> get_metrics(const permit& by);
  caf::result<vm_info> stop(const vm_permit& by, caf::timespan grace);
  caf::result<ticket> connect(const vm_permit& by, std::uint32_t port, caf::timespan bound);
  caf::result<std::uint64_t> connect_stream(const vm_permit& by, door_request asked,
                                            std::uint32_t port, caf::timespan bound);
  void write_stream(const permit& by, stream_piece piece);
  void grant_stream(const permit& by, std::uint64_t number, std::uint64_t bytes);
  void close_stream(const permit& by, std::uint64_t number);
  caf::result<ticket> open_output(const vm_permit& by);
  caf::result<caf::ok_atom> subscribe_output(const vm_permit& by);
  void grant_output(const vm_permit& by, std::uint64_t bytes);
  void unsubscribe_output(const permit& by, vm_cid cid);
  caf::result<log_piece> read_log(const log_permit& by, log_query query);
  caf::result<vm_info> subscribe(const vm_permit& by);
  void unsubscribe(const permit& by, vm_cid cid);
  caf::result<caf::ok_atom> subscribe_after(const log_permit& by, std::uint64_t after);
  caf::result<std::uint64_t> watch(const permit& by, std::uint64_t after);
  void unwatch(const permit& by);
  caf::result<vm_info> attach(const vm_permit& by);
  void detach(const permit& by, vm_cid cid);
  caf::result<vm_info> hold(const vm_permit& by);
  caf::result<vm_info> drop(const vm_permit& by);
  caf::result<ticket> pass(const vm_permit& by);
  caf::result<vm_info> take_passed(const permit& by, const ticket& word);
  caf::result<caf::ok_atom> drain(caf::timespan grace);
  caf::result<caf::ok_atom> end_drain();
  template <class T, class Spec>
  void make_image(const permit& by, Spec spec, vm_files files,
                  caf::typed_response_promise<T> answer);
  template <class T, class Spec>
  void make_opened(const permit& by, Spec spec, vm_files files, const std::string& made,
                   caf::typed_response_promise<T> answer);
  caf::result<upload_place> begin_upload(const permit& by, image_upload wanted);
  caf::result<std::uint64_t> put_piece(const permit& by, image_piece piece);
  caf::result<image_info> finish_upload(const permit& by, std::uint64_t upload);
  caf::result<std::vector<image_info>> list_images(const permit& by);
  caf::result<image_part> read_image(const permit& by, image_query query);
  caf::result<caf::ok_atom> remove_image(const permit& by, std::string image);

  // -- what is told -----------------------------------------------------------

  void hear(const vm_event& event);
  void lost_expired(vm_cid cid, std::uint64_t number);
  void log_read_done(std::uint64_t number, log_piece piece);
  void log_read_failed(std::uint64_t number, int code, std::string what);
  void stream_over(std::uint64_t number, bool hung_up, std::string why);
  void store_answered(std::uint64_t number, const store_answer& what);
  void down(const caf::down_msg& gone);

  // -- what an earlier door had -------------------------------------------------

  /// Which VM it is: its CID, and when it was created.
  using vm_key = std::pair<vm_cid, std::int64_t>;

  void adopt(const std::vector<adopted_vm>& all);
  void adopt(const adopted_vm& kept);
  void adopt_references(vm_entry& vm, const io::vm_notes& notes);
  /// Tells of VMs that the journal has as living and nobody has adopted.
  void bury_missing(const std::set<vm_key>& there);
  void remember_forgotten(std::set<vm_key> known);

  // -- the steps of those -----------------------------------------------------

  /// Whether the service leaves its VMs, which then outlive their supervisors.
  bool is_leaving() const { return options_.leaving && *options_.leaving; }
  /// Whether what is being handled comes from this actor itself.
  bool is_own_message() const;
  void admit(const permit& by, const vm_actor& vm, const vm_info& info, quota::token counted);
  caf::error hide_name_of_others(caf::error why, const permit& by, const vm_name& wanted);
  /// Unless it is one, or the VM is dead; nothing, or why not.
  caf::error add_subscriber(vm_entry& vm, const permit& by);
  /// All of the door's own.
  void show_limits(std::vector<limit_info>& to);
  void count(door_request request, const caf::error& why);
  void measure_vms(std::vector<metric_family> behind);
  void measure_processes(std::vector<metric_family> behind, std::vector<vm_info> vms);
  void give_metrics(caf::expected<std::vector<metric_family>> all);
  void publish(vm_entry& vm, vm_event event);
  void count_restart(vm_entry& vm, vm_event_kind what);
  /// Gives an event its number and keeps it.
  void keep(vm_event& event, const vm_identity& of);
  void bury(vm_entry& vm);
  void forget(vm_entry& vm);
  void remove_reader(vm_entry& vm, const caf::actor_addr& who);
  /// A holder is gone; a lost one for good only after a while.
  void leave(vm_entry& vm, const caf::actor_addr& who, bool lost);
  void stop_if_unwanted(vm_entry& vm);
  void keep_lost_reference(vm_cid cid, std::uint64_t number);
  /// Notes who uses and holds a VM, where that has changed.
  void note(vm_entry& vm);
  void stop_for_drain(const vm_entry& vm);
  void answer_drained();
  void stop_monitoring(const std::vector<caf::actor_addr>& all);

  /// The sender's stream with this number, if it may still use it; one that it may not is ended.
  stream_entry* stream_of(const permit& by, std::uint64_t number);
  void open_stream(caf::typed_response_promise<std::uint64_t> answer, stream_entry stream,
                   vm_cid cid, const vsock_socket& socket);
  io::credited_socket_callbacks callbacks_of(std::uint64_t number,
                                             const stream_client_actor& client);
  /// Closes it, and says why.
  void end_stream(std::uint64_t number, caf::error why);
  void forget_stream(std::uint64_t number, caf::error why);
  /// The VM is dead: what it had sent still comes.
  void finish_streams(const vm_entry& vm);

  /// The descriptors of the tickets, all or none; those of a failure are closed.
  caf::expected<vm_files> redeem(const ticket_list& tickets);

  // -- the image store ----------------------------------------------------------

  using store_reply = std::function<void(io::store_result&)>;

  /// A completion for the image store, which has `then` called within a turn of this actor's.
  template <class T>
  io::image_store::completion<T> reported(store_reply then);
  /// Asks the image store, by `start`, which is given the completion; the answer is what came of
  /// it.
  template <class T, class Got, class Start>
  caf::result<T> ask_store(const permit& by, Start start);
  /// Called with why it failed, or with the name of the image that is being made, if one is.
  using opened_files = std::function<void(const caf::error& why, const std::string& made)>;
  /// Opens the stored images among the files, or has one of `size` bytes made, and then goes on:
  /// at once where there are none.
  void open_stored(const permit& by, const vm_files& files, const stored_uses& uses,
                   std::uint64_t size, opened_files then);
  void make_stored(const permit& by, const vm_files& files, std::uint32_t index, std::uint64_t size,
                   opened_files then);
  /// What was made is kept, or is removed where `what` is an error, and then that is answered.
  template <class T>
  void end_making(const caller& who, const std::string& made, caf::typed_response_promise<T> answer,
                  caf::expected<T> what);

  /// None where `who` can be passed descriptors.
  std::optional<caf::error> no_descriptors(const caller& who) const;
  /// Answers a ticket for a descriptor.
  void hand_out(caf::typed_response_promise<ticket> answer, const passed_fd& fd, const caller& who);
  /// @param also is let go of with the answer.
  template <class T, class... Words>
  caf::result<ticket> ask_for_descriptor(const vm_permit& by, quota::token also,
                                         caf::timespan bound, Words... words);

  // -- how requests are let in, and passed on ---------------------------------

  /// Runs `then` with a permit for `request`, or answers why there is none.
  template <class Then>
  auto let(door_request request, Then then) {
    return run(counted(request, gate_->enter(request, self_->current_sender())), then);
  }

  /// The same for a request about a VM, which is named by CID or by name.
  template <class Key, class Then>
  auto let(door_request request, const Key& vm, Then then) {
    return run(counted(request, gate_->enter(request, self_->current_sender(), vm)), then);
  }

  /// The same for a request with descriptors, which `then` answers. They are taken in any case, so
  /// that those of a request that is refused are closed.
  template <class T, class Then>
  caf::result<T> let_with(const ticket_list& tickets, door_request request, Then then) {
    auto files = redeem(tickets);
    auto by = counted(request, gate_->enter(request, self_->current_sender()));
    if (!by)
      return by.error();
    if (!files)
      return files.error();
    auto answer = self_->make_response_promise<T>();
    then(*by, std::move(*files), answer);
    return answer;
  }

  /// The same for what is said of a stream, which ends where its client may not say it any more.
  template <class Then>
  void let_stream(door_request request, std::uint64_t number, Then then) {
    auto by = counted(request, gate_->enter(request, self_->current_sender()));
    if (by)
      return then(*by);
    if (self_->current_sender() && streams_.find(number, self_->current_sender()->address()))
      end_stream(number, by.error());
  }

  /// Counts whether it was let in.
  template <class Permit>
  caf::expected<Permit> counted(door_request request, caf::expected<Permit> by) {
    count(request, by ? caf::error{} : by.error());
    return by;
  }

  /// The permit is good for the message that is being handled: whether it would be given again.
  caf::error still(door_request request, const permit& by) const;

  template <class Permit, class Then>
  static auto run(caf::expected<Permit> by, Then& then) -> decltype(then(*by)) {
    if constexpr (std::is_void_v<decltype(then(*by))>) {
      if (by)
        then(*by);
    } else {
      if (!by)
        return by.error();
      return then(*by);
    }
  }

  /// Asks somebody behind the door, and answers what they answer.
  /// @param if_gone what is said where they are not there any more.
  template <class T, class To, class... Words>
  caf::result<T> ask(const permit& by, const To& whom, caf::error if_gone, caf::timespan bound,
                     Words... words);
  template <class T, class... Words>
  caf::result<T> ask_vm(const vm_permit& by, caf::timespan bound, Words... words);

  pointer self_;
  door_options options_;
  vm_table vms_;
  std::unique_ptr<const gate> gate_;
  actors::monitor_set monitors_;
  audience watchers_;
  io::told_events told_;
  passed_words words_;
  std::map<std::uint64_t, log_read> log_reads_;
  stream_table streams_;
  std::map<std::uint64_t, store_reply> store_requests_;
  std::uint64_t last_number_ = 0; ///< Of lost references, log reads and store requests.
  bool draining_ = false;
  caf::timespan drain_grace_{};
  std::vector<caf::typed_response_promise<caf::ok_atom>> drained_;
  door_limits limits_;
  door_metrics counts_;
  usage_reader_actor usage_reader_; ///< Null: nobody has asked yet.
  std::vector<metrics_waiter> metrics_wanted_;
  std::uint64_t given_up_ = 0;          ///< VMs that reached the bound of their restarts.
  std::uint64_t refused_log_reads_ = 0; ///< By the reader.
};

/// The door. Monitors the service, and ends with it; every VM that it had created, which it tells
/// of; and whoever holds, watches, subscribes or reads. Spawns a relay for each reader of output
/// and for each image. Ends for nobody else: an exit message from another process is not heard.
doorkeeper_actor::behavior_type doorkeeper(doorkeeper_state::pointer self, door_options options);

// -- errors -------------------------------------------------------------------

/// An error of somebody behind the door's, as it is told on.
caf::error told(caf::error why, caf::error if_gone);

// -- templates ----------------------------------------------------------------

template <class T, class To, class... Words>
caf::result<T> doorkeeper_state::ask(const permit& by, const To& whom, caf::error if_gone,
                                     caf::timespan bound, Words... words) {
  auto counted = limits_.requests.take(by.who());
  if (!counted)
    return counted.error();
  auto answer = self_->make_response_promise<T>();
  self_->request(whom, bound, std::move(words)...)
    .then([answer, counted = *counted](T& value) mutable { answer.deliver(std::move(value)); },
          [answer, counted = *counted, if_gone](caf::error& why) mutable {
            answer.deliver(told(std::move(why), if_gone));
          });
  return answer;
}

template <class T, class... Words>
caf::result<T> doorkeeper_state::ask_vm(const vm_permit& by, caf::timespan bound, Words... words) {
  return ask<T>(by, by.vm().handle, no_such_vm(by.vm().id.cid), bound, std::move(words)...);
}

} // namespace crosvisor::door
