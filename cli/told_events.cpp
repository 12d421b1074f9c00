// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/told_events.hpp"

#include "crosvisor/cli/vm_request.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace crosvisor::cli {

namespace {

using events_answer = answer<std::vector<vm_event>>;
using events_promise = std::shared_ptr<std::promise<events_answer>>;

/// Collects what comes before the answer: all that is kept. Of all VMs where `cid` is no_cid.
subscriber_actor::behavior_type collecting(subscriber_actor::pointer self, const door_actor& door,
                                           vm_cid cid, const events_promise& ended) {
  auto told = std::make_shared<std::vector<vm_event>>();
  auto end = [self, ended, over = std::make_shared<bool>()](events_answer what) {
    if (std::exchange(*over, true))
      return;
    ended->set_value(std::move(what));
    self->quit();
  };
  auto failed = [end](caf::error& why) { end(std::move(why)); };
  self->set_down_handler([=](const caf::down_msg&) { end(lost_error()); });
  self->monitor(door);
  if (cid == no_cid)
    self->request(door, request_bound, watch_atom::value, std::uint64_t{0})
      .then([=](std::uint64_t) { end(std::move(*told)); }, failed);
  else
    self->request(door, request_bound, caf::subscribe_atom::value, cid, std::uint64_t{0})
      .then([=](caf::ok_atom) { end(std::move(*told)); }, failed);
  return {[told](const vm_event& event) { told->push_back(event); }};
}

events_answer collect(connection& service, vm_cid cid) {
  auto ended = std::make_shared<std::promise<events_answer>>();
  auto future = ended->get_future();
  service.system().spawn(collecting, service.door(), cid, std::exchange(ended, nullptr));
  try {
    return future.get();
  } catch (const std::future_error&) { // Its actor was ended, which is the system's end.
    return lost_error();
  }
}

/// Those of the last VM with that name.
std::vector<vm_event> last_of(const vm_name& name, std::vector<vm_event> all) {
  auto last = std::find_if(all.rbegin(), all.rend(),
                           [&](const vm_event& event) { return event.name == name; });
  if (last == all.rend())
    return {};
  auto cid = last->cid;
  std::erase_if(all, [&](const vm_event& event) { return event.cid != cid; });
  return all;
}

/// A CID may have had another VM before.
void keep_last_vm(std::vector<vm_event>& events) {
  auto first = std::find_if(events.rbegin(), events.rend(), [](const vm_event& event) {
    return event.kind == vm_event_kind::created;
  });
  if (first != events.rend())
    events.erase(events.begin(), std::prev(first.base()));
}

} // namespace

outcome<std::vector<vm_event>> told_events_of(connection& service, const std::string& vm) {
  vm_request request{service, vm};
  auto cid = request.find();
  events_answer got;
  if (const auto* found = std::get_if<vm_cid>(&cid)) {
    got = collect(service, *found);
    if (const auto* why = std::get_if<caf::error>(&got))
      return request.end_of(*why);
  } else {
    got = collect(service, no_cid);
    auto* all = std::get_if<std::vector<vm_event>>(&got);
    if (all != nullptr)
      *all = last_of(vm, std::move(*all));
    if (all == nullptr || all->empty())
      return std::get<early_end>(cid);
  }
  auto events = std::get<std::vector<vm_event>>(std::move(got));
  keep_last_vm(events);
  return events;
}

} // namespace crosvisor::cli
