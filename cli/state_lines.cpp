// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/state_lines.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace crosvisor::cli {

namespace {

/// What stands between words that belong to columns: they begin eleven characters apart, or three
/// after a longer word.
std::string gap_after(const std::string& word) {
  constexpr std::size_t column = 11, least = 3;
  return std::string(word.size() + least > column ? least : column - word.size(), ' ');
}

} // namespace

style style_of(const vm_event& event) {
  switch (event.kind) {
    case vm_event_kind::started:
    case vm_event_kind::ready: return style::good;
    case vm_event_kind::payload_error:
    case vm_event_kind::restarting:
    case vm_event_kind::given_up: return style::bad;
    case vm_event_kind::dead: return ended_badly(event.reason) ? style::bad : style::strong;
    default: return style::plain;
  }
}

std::string word_of(const vm_event& event) {
  if (event.kind == vm_event_kind::dead)
    return "dead: " + to_string(event.reason);
  if (event.kind == vm_event_kind::payload_error)
    return "payload error";
  if (event.kind == vm_event_kind::restarting)
    return "restarting: " + to_string(event.reason);
  return to_string(event.kind);
}

std::string detail_of(const vm_event& event) {
  auto detail = io::printable(event.detail, 400);
  if (event.kind != vm_event_kind::payload_error)
    return detail;
  auto code = to_string(event.payload.error);
  return detail.empty() ? code : code + ": " + detail;
}

std::string state_lines::elapsed(const vm_event& event) const {
  auto since = std::max<std::int64_t>(0, event.time_ms - starting_ms_.value_or(event.time_ms));
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f s", static_cast<double>(since) / 1000);
  return text.data();
}

std::optional<std::string> state_lines::next(const vm_event& event) {
  // The payload's start is told by its first output, or by what follows.
  if (event.kind == vm_event_kind::created || event.kind == vm_event_kind::payload_started)
    return std::nullopt;
  if (event.kind == vm_event_kind::starting)
    starting_ms_ = event.time_ms;
  auto word = word_of(event);
  auto line = "vm " + std::to_string(event.cid) + ' ' + paint_.paint(style_of(event), word);
  auto detail = detail_of(event);
  switch (event.kind) {
    case vm_event_kind::started:
    case vm_event_kind::ready: return line + gap_after(word) + elapsed(event);
    case vm_event_kind::dead:
      line += gap_after(word) + elapsed(event);
      if (event.reason == death_reason::shutdown || detail.empty())
        return line;
      return line + "   " + detail;
    default: return detail.empty() ? line : line + gap_after(word) + detail;
  }
}

} // namespace crosvisor::cli
