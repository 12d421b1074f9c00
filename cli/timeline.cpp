// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/timeline.hpp"

#include "crosvisor/cli/json_parts.hpp"
#include "crosvisor/cli/state_lines.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::cli {

namespace {

using json = nlohmann::ordered_json;

/// A wait for whoever is to start the VM that is longer would leave no room for the start itself.
constexpr std::int64_t longest_idle_us = 100'000;

std::int64_t time_of(const vm_event& event) {
  return event.time_us > 0 ? event.time_us : event.time_ms * 1000;
}

/// Reads events one after the other.
class life_reader {
public:
  explicit life_reader(start_timeline& into) : into_(into) {}

  void take(const vm_event& event) {
    for (const auto& step : event.steps)
      life_.spans.push_back({step.name, step.begin_us, step.end_us});
    auto now = last_us_ = time_of(event);
    switch (event.kind) {
      case vm_event_kind::created: created_us_ = now; return;
      case vm_event_kind::starting: starting_us_ = now; return;
      case vm_event_kind::started: return begin("kernel", now);
      case vm_event_kind::payload_started: end_open(now); return begin("payload", now);
      case vm_event_kind::ready: return over(event);
      case vm_event_kind::finished:
      case vm_event_kind::dead: return over(event);
      case vm_event_kind::restarting: over(event); return next();
      default: return;
    }
  }

  void finish() {
    if (!open_.empty())
      life_.spans.push_back({std::exchange(open_, {}), open_us_, last_us_, true});
    next();
  }

private:
  void begin(std::string name, std::int64_t now) {
    if (over_)
      return;
    open_ = std::move(name);
    open_us_ = now;
  }

  void end_open(std::int64_t now) {
    if (!open_.empty())
      life_.spans.push_back({std::exchange(open_, {}), open_us_, now});
  }

  /// What follows is not of the start any more.
  void over(const vm_event& event) {
    if (std::exchange(over_, true))
      return;
    end_open(time_of(event));
    life_.end = word_of(event);
  }

  /// From its creation to whatever was done first for its start.
  void find_idle() {
    if (created_us_ == 0 || starting_us_ == 0)
      return;
    auto first = starting_us_;
    for (const auto& span : life_.spans)
      if (span.begin_us >= created_us_)
        first = std::min(first, span.begin_us);
    if (first - created_us_ <= longest_idle_us)
      return;
    life_.cut_begin_us = created_us_;
    life_.cut_us = first - created_us_;
  }

  void next() {
    find_idle();
    std::stable_sort(life_.spans.begin(), life_.spans.end(),
                     [](const auto& a, const auto& b) { return a.begin_us < b.begin_us; });
    auto number = life_.number + 1;
    if (!life_.spans.empty())
      into_.lives.push_back(std::move(life_));
    life_ = {};
    life_.number = number;
    created_us_ = starting_us_ = 0;
    over_ = false;
  }

  start_timeline& into_;
  timeline_life life_;
  std::string open_;
  std::int64_t open_us_ = 0;
  std::int64_t created_us_ = 0;
  std::int64_t starting_us_ = 0;
  std::int64_t last_us_ = 0;
  bool over_ = false;
};

json trace_name(const char* what, vm_cid cid, std::uint32_t life, const std::string& name) {
  return {{"name", what}, {"ph", "M"}, {"pid", cid}, {"tid", life}, {"args", {{"name", name}}}};
}

} // namespace

std::int64_t timeline_life::begin_us() const noexcept {
  return spans.empty() ? 0 : spans.front().begin_us;
}

std::int64_t timeline_life::drawn_at(std::int64_t time_us) const noexcept {
  auto cut = cut_us > 0 && time_us > cut_begin_us ? std::min(cut_us, time_us - cut_begin_us) : 0;
  return time_us - begin_us() - cut;
}

std::int64_t timeline_life::took_us() const noexcept {
  std::int64_t took = 0;
  for (const auto& span : spans)
    took = std::max(took, drawn_at(span.end_us));
  return took;
}

std::int64_t start_timeline::longest_us() const noexcept {
  std::int64_t longest = 1;
  for (const auto& life : lives)
    longest = std::max(longest, life.took_us());
  return longest;
}

start_timeline make_timeline(const std::vector<vm_event>& events) {
  start_timeline made;
  if (events.empty())
    return made;
  made.cid = events.front().cid;
  made.name = events.front().name;
  made.is_whole = events.front().kind == vm_event_kind::created;
  life_reader reader{made};
  for (const auto& event : events)
    reader.take(event);
  reader.finish();
  return made;
}

std::string timeline_json(const start_timeline& of) {
  json lives = json::array();
  for (const auto& life : of.lives) {
    json spans = json::array();
    for (const auto& span : life.spans) {
      json one{{"name", span.name}, {"begin_us", span.begin_us}, {"end_us", span.end_us}};
      if (span.open)
        one["open"] = true;
      spans.push_back(std::move(one));
    }
    lives.push_back({{"life", life.number},
                     {"end", life.end.empty() ? json() : json(life.end)},
                     {"idle_us", life.cut_us},
                     {"spans", spans}});
  }
  return json_text({{"schema", event_schema},
                    {"cid", of.cid},
                    {"name", of.name},
                    {"whole", of.is_whole},
                    {"lives", lives}},
                   true);
}

std::string timeline_trace(const start_timeline& of) {
  json events = json::array();
  events.push_back(
    trace_name("process_name", of.cid, 0, "vm " + std::to_string(of.cid) + ' ' + of.name));
  for (const auto& life : of.lives) {
    events.push_back(
      trace_name("thread_name", of.cid, life.number, "life " + std::to_string(life.number)));
    for (const auto& span : life.spans)
      events.push_back({{"name", span.name},
                        {"cat", "start"},
                        {"ph", "X"},
                        {"ts", span.begin_us},
                        {"dur", std::max<std::int64_t>(0, span.took_us())},
                        {"pid", of.cid},
                        {"tid", life.number}});
  }
  return json_text({{"displayTimeUnit", "ms"}, {"traceEvents", events}}, false);
}

} // namespace crosvisor::cli
