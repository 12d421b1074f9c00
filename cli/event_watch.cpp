// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/event_watch.hpp"

#include "crosvisor/cli/event_json.hpp"
#include "crosvisor/cli/reconnect.hpp"
#include "crosvisor/cli/request_errors.hpp"
#include "crosvisor/cli/state_lines.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace crosvisor::cli {

namespace {

using watch_answer = answer<caf::unit_t>;

constexpr auto newest = std::numeric_limits<std::uint64_t>::max();

/// One watch, until its end or its door's.
struct one_watch {
  event_watch_options options;
  /// Events with greater numbers are wanted. `newest`: what comes, of one VM after its last state.
  std::uint64_t after = newest;
  /// Told how far the events of all VMs are, once.
  std::function<void(std::uint64_t)> on_begin;
  std::shared_ptr<std::promise<watch_answer>> ended;
};

/// The requests that begin a watch, one after the other.
void begin_watch(subscriber_actor::pointer self, const door_actor& door, const one_watch& with,
                 const std::function<void(watch_answer)>& end) {
  auto failed = [end](caf::error& why) { end(std::move(why)); };
  auto cid = with.options.cid;
  // Of a VM whose history is wanted, the last state may be all that is kept.
  auto state = [=] {
    self->request(door, request_bound, caf::subscribe_atom::value, cid)
      .then([](const vm_info&) {}, failed);
  };
  if (cid == no_cid)
    self->request(door, request_bound, watch_atom::value, with.after)
      .then([begun = with.on_begin](std::uint64_t number) { begun(number); }, failed);
  else if (with.after == newest)
    state();
  else
    self->request(door, request_bound, caf::subscribe_atom::value, cid, with.after)
      .then(
        [=, history = with.after == 0](caf::ok_atom) {
          if (history)
            state();
        },
        failed);
}

subscriber_actor::behavior_type watching(subscriber_actor::pointer self, const one_watch& with,
                                         const door_actor& door) {
  auto end = [self, ended = with.ended, over = std::make_shared<bool>()](watch_answer what) {
    if (std::exchange(*over, true))
      return;
    ended->set_value(std::move(what));
    self->quit();
  };
  self->set_down_handler([=](const caf::down_msg&) { end(lost_error()); });
  self->monitor(door);
  begin_watch(self, door, with, end);
  return {[=, cid = with.options.cid, on_event = with.options.on_event](const vm_event& event) {
    if (cid != no_cid && event.cid != cid)
      return;
    if (!on_event(event) || (cid != no_cid && event.kind == vm_event_kind::dead))
      end(caf::unit);
  }};
}

watch_answer watch_once(connection& service, one_watch with) {
  with.ended = std::make_shared<std::promise<watch_answer>>();
  auto future = with.ended->get_future();
  // As vm_run.cpp says; what it writes may block, and has the system for itself.
  service.system().spawn(watching, std::exchange(with, {}), service.door());
  try {
    return future.get();
  } catch (const std::future_error&) {
    return lost_error();
  }
}

} // namespace

bool event_filter::is_new(const vm_event& event) {
  if (event.number <= last_number_ && event.time_ms <= newest_ms_)
    return false;
  last_number_ = event.number;
  newest_ms_ = std::max(newest_ms_, event.time_ms);
  return true;
}

void event_filter::skip_to(std::uint64_t number) {
  last_number_ = std::max(last_number_, number);
}

outcome<caf::unit_t> watch_events(connection& service, const event_watch_options& options) {
  event_filter filter;
  one_watch next;
  next.options = options;
  next.after = options.history ? 0 : newest;
  next.on_begin = [&](std::uint64_t number) { filter.skip_to(number); };
  auto resumed = false;
  next.options.on_event = [&](const vm_event& event) {
    auto last = filter.last_number();
    if (!filter.is_new(event))
      return true;
    if (std::exchange(resumed, false) && options.cid == no_cid && event.number > last + 1)
      options.say(std::to_string(event.number - last - 1)
                  + " events were missed: the service does not keep them any more");
    return options.on_event(event);
  };
  for (;;) {
    auto what = watch_once(service, next);
    const auto* why = std::get_if<caf::error>(&what);
    if (why == nullptr)
      return caf::unit;
    if (!is_lost(*why) || !reconnect(service, options.say))
      return end_of(*why, service.where());
    next.after = filter.last_number();
    resumed = true;
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
