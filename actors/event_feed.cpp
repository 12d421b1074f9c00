// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/event_feed.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <utility>

namespace crosvisor::actors {

namespace {

vm_event make_event(std::uint64_t seq, const vm_info& info, vm_event_kind kind, std::string detail,
                    std::vector<vm_step> steps) {
  vm_event event;
  event.seq = seq;
  event.time_us = unix_time_us();
  event.time_ms = event.time_us / 1000;
  event.cid = info.cid;
  event.name = info.name;
  event.kind = kind;
  event.state = info.state;
  event.detail = std::move(detail);
  event.reason = info.reason;
  event.exit = info.exit;
  event.payload = info.payload;
  event.steps = std::move(steps);
  return event;
}

} // namespace

void event_feed::resume(const vm_history& history, std::uint32_t restarts) {
  keeps_unheard_ = true;
  seq_ = history.seq;
  last_state_event_ = history.last_state_event;
  // A `restarting` that no life followed is of the life that is kept.
  life_was_told_ = history.restarts > restarts;
  if (history.restarts == restarts)
    told_ = history.told;
}

bool event_feed::was_told(vm_event_kind kind) const {
  // A life that ended with `restarting` had none of these.
  auto final = kind == vm_event_kind::given_up || kind == vm_event_kind::dead;
  if (life_was_told_ && !final)
    return true;
  return is_told_once(kind) && std::find(told_.begin(), told_.end(), kind) != told_.end();
}

void event_feed::publish(const vm_info& info, vm_event_kind kind, std::string detail,
                         std::vector<vm_step> steps) {
  auto told = was_told(kind);
  if (kind == vm_event_kind::restarting) {
    told_.clear();
    life_was_told_ = false;
  }
  if (told)
    return;
  auto event = make_event(++seq_, info, kind, std::move(detail), std::move(steps));
  if (is_state_event(kind))
    last_state_event_ = event;
  send_to_all(std::move(event));
}

void event_feed::send_to_all(vm_event event) {
  for (const auto& subscriber : subscribers_)
    self_->send(subscriber, event);
  if (!keeps_unheard_)
    return;
  unheard_.push_back(std::move(event));
  if (unheard_.size() > max_unheard)
    unheard_.pop_front();
}

void event_feed::send_unheard(const subscriber_actor& to) {
  keeps_unheard_ = false;
  auto unheard = std::exchange(unheard_, {});
  if (unheard.empty() || last_state_event_.seq < unheard.front().seq)
    self_->send(to, last_state_event_);
  for (auto& event : unheard)
    self_->send(to, std::move(event));
}

void event_feed::subscribe(const caf::strong_actor_ptr& who) {
  auto subscriber = caf::actor_cast<subscriber_actor>(who);
  if (!subscriber)
    return;
  if (keeps_unheard_)
    send_unheard(subscriber);
  else
    self_->send(subscriber, last_state_event_);
  if (std::find(subscribers_.begin(), subscribers_.end(), subscriber) != subscribers_.end())
    return;
  monitors_.add(subscriber.address());
  subscribers_.push_back(std::move(subscriber));
}

void event_feed::unsubscribe(const caf::strong_actor_ptr& who) {
  if (!who)
    return;
  auto address = caf::actor_cast<caf::actor_addr>(who);
  if (forget(address))
    monitors_.remove(address);
}

bool event_feed::forget(const caf::actor_addr& who) {
  return std::erase_if(
           subscribers_,
           [&](const subscriber_actor& subscriber) { return subscriber.address() == who; })
         > 0;
}

} // namespace crosvisor::actors
