// SPDX-License-Identifier: Apache-2.0
// What a session does with a payload's output, and without its door.
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/request_errors.hpp"
#include "crosvisor/cli/run_session.hpp"

#include <caf/actor_cast.hpp>

#include <algorithm>

namespace crosvisor::cli {

// -- output -------------------------------------------------------------------

void run_session_state::open_output() {
  if (options_.on_piece)
    return subscribe_output();
  if (!options_.on_output)
    return start();
  ask<ticket>(
    request_bound, [this](const ticket& of) { take_output(of); },
    [this](const caf::error& why) { output_failed(why); }, caf::open_atom::value,
    output_atom::value, outcome_.vm.cid);
}

void run_session_state::take_output(const ticket& of) {
  auto taken = options_.on_output(of);
  if (taken)
    return start();
  end(infrastructure, "the payload's output can't be opened: " + taken.why().what);
}

void run_session_state::subscribe_output() {
  ask<caf::ok_atom>(
    request_bound,
    [this](caf::ok_atom) {
      wants_pieces_ = true;
      grant(options_.output_window);
      start();
    },
    [this](const caf::error& why) { output_failed(why); }, caf::subscribe_atom::value,
    output_atom::value, outcome_.vm.cid);
}

void run_session_state::output_failed(const caf::error& why) {
  if (errc_of(why) == vm_errc::unsupported)
    return start();
  end(exit_code_of_error(why), "the payload's output can't be opened: " + words_of_error(why));
}

void run_session_state::grant(std::uint64_t bytes) {
  if (has_door_ && wants_pieces_)
    self_->send(options_.door, credit_atom::value, outcome_.vm.cid, bytes);
}

void run_session_state::take_piece(const output_chunk& piece) {
  // A new subscription begins with all that is kept, and what came before comes again.
  auto known = output_end_ > piece.offset ? output_end_ - piece.offset : 0;
  auto old = std::min<std::uint64_t>(known, piece.bytes.size());
  if (old > 0)
    grant(old);
  if (!options_.on_piece || (old > 0 && old == piece.bytes.size() && !piece.last))
    return;
  auto fresh = piece;
  fresh.offset += old;
  fresh.bytes.erase(0, old);
  output_end_ = fresh.offset + fresh.bytes.size();
  options_.on_piece(fresh);
}

// -- a door that is lost --------------------------------------------------------

void run_session_state::lose_door() {
  has_door_ = false;
  // Of a VM that was being created nobody knows the CID; the service ends it.
  if (!options_.on_lost || !has_vm())
    return give_up_door();
  options_.on_lost();
}

void run_session_state::give_up_door() {
  if (has_door_)
    return;
  if (outcome_.death) { // The answer to the start is lost, and says no more.
    start_answered_ = true;
    return end_when_done();
  }
  outcome_.lost = true;
  end(infrastructure, "lost the connection to " + options_.service);
}

void run_session_state::take_door(const caf::strong_actor_ptr& door) {
  ++door_;
  has_door_ = true;
  options_.door = caf::actor_cast<door_actor>(door);
  self_->monitor(options_.door);
  ask<vm_info>(
    request_bound, [this](const vm_info& info) { attached(info); },
    [this](const caf::error& why) {
      auto code = errc_of(why);
      code == vm_errc::wrong_state || code == vm_errc::no_such_vm ? attached(std::nullopt)
                                                                  : lose(why);
    },
    attach_atom::value, outcome_.vm.cid);
}

void run_session_state::attached(const std::optional<vm_info>& info) {
  ask<caf::ok_atom>(
    request_bound, [](caf::ok_atom) {}, [this](const caf::error& why) { lose(why); },
    caf::subscribe_atom::value, outcome_.vm.cid, last_number_);
  if (wants_pieces_)
    ask<caf::ok_atom>(
      request_bound, [this](caf::ok_atom) { grant(options_.output_window); },
      [](const caf::error&) {}, caf::subscribe_atom::value, output_atom::value, outcome_.vm.cid);
  if (stops_ > 0)
    stop_or_kill();
  else if (info && info->state == vm_state::not_started && !options_.no_start)
    return start();
  else if (options_.detach)
    return hold();
  start_answered_ = true; // By what the VM is.
  end_when_done();
}

} // namespace crosvisor::cli
