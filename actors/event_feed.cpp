// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/event_feed.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <utility>

namespace crosvisor::actors {

namespace {

vm_event_kind kind_of(vm_state state) {
  switch (state) {
    case vm_state::not_started: return vm_event_kind::created;
    case vm_state::starting: return vm_event_kind::starting;
    case vm_state::started: return vm_event_kind::started;
    case vm_state::ready: return vm_event_kind::ready;
    case vm_state::finished: return vm_event_kind::finished;
    case vm_state::dead: break;
  }
  return vm_event_kind::dead;
}

vm_event make_event(std::uint64_t seq, const vm_info& info, vm_event_kind kind,
                    std::string detail) {
  vm_event event;
  event.seq = seq;
  event.time_ms = unix_time_ms();
  event.cid = info.cid;
  event.name = info.name;
  event.kind = kind;
  event.state = info.state;
  event.detail = std::move(detail);
  event.reason = info.reason;
  event.exit = info.exit;
  event.payload = info.payload;
  return event;
}

} // namespace

void event_feed::publish(const vm_info& info, vm_event_kind kind, std::string detail) {
  send_to_all(make_event(++seq_, info, kind, std::move(detail)));
}

void event_feed::publish_state(const vm_info& info, std::string detail) {
  last_state_event_ = make_event(++seq_, info, kind_of(info.state), std::move(detail));
  send_to_all(last_state_event_);
}

void event_feed::send_to_all(const vm_event& event) {
  for (const auto& subscriber : subscribers_)
    self_->send(subscriber, event);
}

void event_feed::subscribe(const caf::strong_actor_ptr& who) {
  auto subscriber = caf::actor_cast<subscriber_actor>(who);
  if (!subscriber)
    return;
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
