// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/event_watch.hpp"

#include "crosvisor/cli/event_json.hpp"
#include "crosvisor/cli/reconnect.hpp"
#include "crosvisor/cli/request_errors.hpp"
#include "crosvisor/cli/state_lines.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::cli {

namespace {

using watch_answer = answer<caf::unit_t>;

/// One watch, until its end or its door's.
struct one_watch {
  event_watch_options options;
  std::shared_ptr<std::promise<watch_answer>> ended;
};

/// The requests that begin a watch, one after the other.
void begin_watch(subscriber_actor::pointer self, const door_actor& door, vm_cid cid, bool all,
                 const std::function<void(watch_answer)>& end) {
  auto failed = [end](caf::error& why) { end(std::move(why)); };
  if (!all) {
    self->request(door, request_bound, caf::subscribe_atom::value, cid)
      .then([](const vm_info&) {}, failed);
    return;
  }
  // Of one VM whose history is wanted, the last state comes too, which may be all that is kept.
  self->request(door, request_bound, watch_atom::value, true)
    .then([=](caf::ok_atom) { begin_watch(self, door, cid, false, end); }, failed);
}

subscriber_actor::behavior_type watching(subscriber_actor::pointer self, const one_watch& with,
                                         const door_actor& door) {
  auto end = [self, ended = with.ended](watch_answer what) {
    ended->set_value(std::move(what));
    self->quit();
  };
  self->set_down_handler([=](const caf::down_msg&) { end(lost_error()); });
  self->monitor(door);
  auto cid = with.options.cid;
  if (cid != no_cid)
    begin_watch(self, door, cid, with.options.history, end);
  else
    self->request(door, request_bound, watch_atom::value, with.options.history)
      .then([](caf::ok_atom) {}, [=](caf::error& why) { end(std::move(why)); });
  return {[=, on_event = with.options.on_event](const vm_event& event) {
    if (cid != no_cid && event.cid != cid)
      return;
    if (!on_event(event) || (cid != no_cid && event.kind == vm_event_kind::dead))
      end(caf::unit);
  }};
}

watch_answer watch_once(connection& service, const event_watch_options& options) {
  one_watch with{options, std::make_shared<std::promise<watch_answer>>()};
  auto future = with.ended->get_future();
  // As vm_run.cpp says; what it writes may block, and has the system for itself.
  service.system().spawn(watching, std::move(with), service.door());
  with.ended = nullptr;
  try {
    return future.get();
  } catch (const std::future_error&) {
    return lost_error();
  }
}

} // namespace

bool event_filter::is_new(const vm_event& event) {
  auto known = last_.find(event.cid);
  auto fresh = known != last_.end() ? event.seq > known->second.seq
                                        // Another VM that has the CID now.
                                        || event.time_ms > known->second.time_ms
                                    : !resumed_ || event.time_ms > newest_ms_;
  if (!fresh)
    return false;
  last_[event.cid] = {event.seq, event.time_ms};
  newest_ms_ = std::max(newest_ms_, event.time_ms);
  return true;
}

outcome<caf::unit_t> watch_events(connection& service, const event_watch_options& options) {
  event_filter filter;
  auto next = options;
  next.on_event = [&](const vm_event& event) {
    return !filter.is_new(event) || options.on_event(event);
  };
  for (;;) {
    auto what = watch_once(service, next);
    const auto* why = std::get_if<caf::error>(&what);
    if (why == nullptr)
      return caf::unit;
    if (!is_lost(*why) || !reconnect(service))
      return end_of(*why, service.where());
    next.history = options.history || !filter.heard_nothing();
    filter.resume();
  }
}

std::string event_line(const vm_event& event, const term& paint) {
  constexpr std::size_t name_width = 10, word_width = 10;
  auto padded = [](const std::string& text, std::size_t width) {
    return std::string(text.size() < width ? width - text.size() : 0, ' ') + "  ";
  };
  auto name = io::printable(event.name);
  auto word = word_of(event);
  auto detail = detail_of(event);
  auto line = rfc3339(event.time_ms) + "  " + std::to_string(event.cid) + "  " + name
              + padded(name, name_width) + paint.paint(style_of(event), word);
  return (detail.empty() ? line : line + padded(word, word_width) + detail) + '\n';
}

} // namespace crosvisor::cli
