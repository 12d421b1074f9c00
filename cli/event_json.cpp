// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/event_json.hpp"

#include "crosvisor/cli/json_parts.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace crosvisor::cli {

namespace {

using json = nlohmann::ordered_json;

json steps_json(const std::vector<vm_step>& steps) {
  json all = json::array();
  for (const auto& step : steps)
    all.push_back({{"name", step.name}, {"begin_us", step.begin_us}, {"end_us", step.end_us}});
  return all;
}

} // namespace

std::string rfc3339(std::int64_t unix_time_ms) {
  auto seconds = static_cast<std::time_t>(unix_time_ms / 1000);
  auto milliseconds = static_cast<int>(unix_time_ms % 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 48> text{};
  auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ", milliseconds);
  return text.data();
}

std::string event_json(const vm_event& event) {
  json object{{"schema", event_schema}, {"seq", event.seq},   {"time", rfc3339(event.time_ms)},
              {"cid", event.cid},       {"name", event.name}, {"event", to_string(event.kind)}};
  if (!event.detail.empty())
    object["detail"] = event.detail;
  // So that whoever reads knows what is missing.
  if (event.number > 0)
    object["number"] = event.number;
  if (event.time_us > 0)
    object["time_us"] = event.time_us;
  if (!event.steps.empty())
    object["steps"] = steps_json(event.steps);
  auto dead = event.kind == vm_event_kind::dead;
  if (event.payload.finished && (dead || event.kind == vm_event_kind::finished))
    object["payload_exit_code"] = event.payload.exit_code;
  if (event.payload.failed && (dead || event.kind == vm_event_kind::payload_error))
    object["payload_error"] = to_string(event.payload.error);
  if (dead || event.kind == vm_event_kind::restarting) {
    object["reason"] = to_string(event.reason);
    object["vmm_exit"] = exit_json(event.exit);
  }
  // A detail may hold what a guest or a VMM said, which may be no UTF-8.
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace crosvisor::cli
