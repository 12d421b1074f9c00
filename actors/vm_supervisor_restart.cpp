// SPDX-License-Identifier: Apache-2.0
// How a supervisor starts its VM again: the wait, what is left of the last life, the next one.
#include "crosvisor/actors/vm_supervisor.hpp"

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/logged_events.hpp"

#include <caf/send.hpp>

#include <utility>

namespace crosvisor::actors {

namespace {

/// From one try to begin the next life to the one after.
constexpr auto revive_again = std::chrono::seconds{1};

} // namespace

// -- what a life begins with ---------------------------------------------------

caf::error vm_supervisor_state::keep_origin() {
  if (!may_restart() || origin_)
    return {};
  auto files = request_.files ? request_.files : std::make_shared<io::descriptor_set>();
  auto copies = files->duplicate();
  if (!copies)
    return caf::make_error(vm_errc::io_failed, copies.why().what);
  request_.files = std::make_shared<io::descriptor_set>(std::move(*copies));
  origin_ = std::make_shared<const io::vm_origin>(
    io::vm_origin{request_.config, request_.choice, std::move(files)});
  request_.origin = origin_;
  return {};
}

void vm_supervisor_state::fetch_origin() {
  if (may_restart())
    fetch_origin_from(process_);
}

void vm_supervisor_state::fetch_origin_from(const std::shared_ptr<io::vmm_process>& keeper) {
  fetches_origin_ = true;
  auto id = answers_.await([this, asks_last = keeper == last_](const vmm_answer& answer) {
    if (!answer.done && last_ && !asks_last)
      return fetch_origin_from(last_);
    fetches_origin_ = false;
    origin_ = answer.origin;
    if (!answer.done)
      log::warn(about(), "vm {} can't be started again: {}", info_.cid, answer.what);
    revive_problem_ = answer.what;
    go_on_reviving();
  });
  keeper->get_origin([self = vm_supervisor_actor{self_}, id](io::result<io::vm_origin> got) {
    vmm_answer answer{id, bool{got}, 0, {}, {}, nullptr};
    if (got)
      answer.origin = std::make_shared<const io::vm_origin>(std::move(*got));
    else
      answer.what = got.why().what;
    caf::anon_send(self, std::move(answer));
  });
}

// -- after a death ------------------------------------------------------------

vm_input vm_supervisor_state::after(vm_input end) {
  // A VM that is abandoned has a process that still has its disks.
  if (next_step(phase_, end).action != vm_action::bury
      || next_step(phase_, vm_input::again).action == vm_action::ignore)
    return end;
  if (stopped_ || !ever_started_ || !wants_restart(policy_, judged(), info_.payload))
    return end;
  auto wait = plan_.next(self_->clock().now());
  if (!wait) {
    given_up_ = plan_.what();
    return end;
  }
  restart_in_ = *wait;
  return vm_input::again;
}

void vm_supervisor_state::restart() {
  info_.exit = judged();
  info_.reason = info_.exit.reason;
  info_.state = vm_state::not_started;
  info_.suspended = false;
  info_.vmm_pid = 0;
  ++info_.restarts;
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(restart_in_).count();
  log::event(log::logged_event::vm_restarting, about(),
             "vm {} died: {} ({}), and starts again in {} s", info_.cid, to_string(info_.reason),
             to_string(info_.exit), seconds);
  tell(vm_event_kind::restarting, "starts again in " + std::to_string(seconds) + " s");
  auto why = launch_error_ ? std::exchange(launch_error_, {})
                           : caf::make_error(vm_errc::start_failed, info_.exit.detail);
  for (auto& promise : std::exchange(starting_, {}))
    promise.deliver(why);
  note_last_life();
  forget_life();
  arm(restart_in_);
}

/// Where the life that failed never began, the one before stands for it: to whoever adopts that, it
/// is the one that ended.
void vm_supervisor_state::note_last_life() {
  if (!last_)
    return;
  last_->note(ending_note, "");
  last_->note(restarts_note, std::to_string(info_.restarts - 1));
  if (auto plan = notes_.find(plan_note); plan != notes_.end())
    last_->note(plan_note, plan->second);
}

void vm_supervisor_state::forget_life() {
  between_lives_ = true;
  replaying_ = false; // Of an end nothing follows.
  if (streams_ && !std::exchange(streams_finished_, false))
    streams_->finish([] {});
  make_streams();
  steps_.clear();
  request_ = {};
  info_.payload = {};
  payload_ = {};
  hang_watch_.end();
  ignored_lines_ = 0;
  early_.clear();
  early_output_ = false;
  cause_ = end_cause::none;
  fault_.clear();
  had_started_ = false;
  held_.reset();
}

// -- the next life ------------------------------------------------------------

void vm_supervisor_state::revive() {
  arm(timeouts_.revive);
  go_on_reviving();
}

void vm_supervisor_state::go_on_reviving() {
  if (phase_ != vm_phase::reviving || fetches_origin_)
    return;
  if (!origin_)
    return give_up(revive_problem_);
  if (process_)
    return step_aside();
  if (!claims_cid_)
    return begin_again(nullptr);
  // The kernel binds a claim to the VMM that used it, so the next one needs another.
  self_->request(registry_, timeouts_.revive, claim_atom::value, info_.cid)
    .then([this](const claimed_cid& claim) { begin_again(claim); },
          [this](const caf::error& why) { revive_later(sentence_of(why)); });
}

void vm_supervisor_state::step_aside() {
  if (!std::exchange(steps_aside_, true))
    process_->step_aside(
      [self = vm_supervisor_actor{self_}] { caf::anon_send(self, caf::delete_atom::value); });
}

void vm_supervisor_state::forget_last_life() {
  last_.reset(); // Let go of, it is released.
}

void vm_supervisor_state::revive_later(std::string why) {
  revive_problem_ = std::move(why);
  self_->delayed_send(self_, revive_again, caf::tick_atom::value, step_);
}

void vm_supervisor_state::begin_again(claimed_cid vsock) {
  if (phase_ != vm_phase::reviving)
    return;
  auto files = origin_->files->duplicate();
  if (!files)
    return revive_later(files.why().what);
  request_ = {info_.cid,        origin_->config,
              origin_->choice,  std::make_shared<io::descriptor_set>(std::move(*files)),
              std::move(vsock), nullptr};
  request_.origin = origin_;
  between_lives_ = false;
  info_.exit = {};
  info_.reason = death_reason::unknown;
  apply(needs_images() ? vm_input::build : vm_input::gone);
}

void vm_supervisor_state::give_up(const std::string& why) {
  given_up_ = why.empty() ? "what is left of its last life did not go in time" : why;
  apply(vm_input::launch_failed);
}

} // namespace crosvisor::actors
