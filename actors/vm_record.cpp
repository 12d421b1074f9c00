// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/vm_record.hpp"

#include "crosvisor/io/logging.hpp"
#include "crosvisor/messages/vm_event.hpp"

#include <charconv>
#include <string_view>
#include <utility>

namespace crosvisor::actors {

namespace {

/// More are no process's: NGROUPS_MAX of Linux.
constexpr std::size_t max_groups = 65'536;

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || problem != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

/// Cuts `text` at the first `at`, and answers what was before it.
std::string_view take_until(std::string_view& text, char at) {
  auto end = text.find(at);
  auto head = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return head;
}

/// A line break in a label or subject must not look like the next field.
std::string escaped(const std::string& text) {
  std::string result;
  for (auto c : text)
    if (c == '\\')
      result += "\\\\";
    else if (c == '\n')
      result += "\\n";
    else
      result += c;
  return result;
}

std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\\' && i + 1 < text.size())
      result += text[++i] == 'n' ? '\n' : text[i];
    else
      result += text[i];
  return result;
}

std::optional<caller_kind> kind_of(std::string_view word) {
  for (auto kind : {caller_kind::process, caller_kind::socket, caller_kind::certificate})
    if (word == to_string(kind))
      return kind;
  return std::nullopt;
}

bool read_groups(std::string_view line, std::vector<std::uint32_t>& groups) {
  while (!line.empty()) {
    auto group = number_of<std::uint32_t>(take_until(line, ' '));
    if (!group || groups.size() == max_groups)
      return false;
    groups.push_back(*group);
  }
  return true;
}

/// Reads one note with `decode`; where it is missing or wrong, `otherwise`, and says so.
template <class Value, class Decode>
void read_note(const io::kept_vm& kept, const char* key, bool required, Decode decode,
               Value& value) {
  auto note = kept.notes.find(key);
  if (note == kept.notes.end()) {
    if (required)
      log::warn({kept.cid, kept.config.name}, "vm {} was kept without the note {}", kept.cid, key);
    return;
  }
  if (auto known = decode(note->second))
    value = std::move(*known);
  else
    log::warn({kept.cid, kept.config.name}, "vm {} was kept with a note {} that makes no sense",
              kept.cid, key);
}

} // namespace

std::string encode_owner(const caller& owner) {
  auto text = to_string(owner.kind) + '\n' + std::to_string(owner.uid) + '\n'
              + std::to_string(owner.gid) + '\n' + std::to_string(owner.pid) + '\n';
  for (std::size_t i = 0; i < owner.groups.size(); ++i)
    text += (i > 0 ? " " : "") + std::to_string(owner.groups[i]);
  return text + '\n' + escaped(owner.label) + '\n' + escaped(owner.subject);
}

std::optional<caller> decode_owner(const std::string& text) {
  std::string_view rest{text};
  auto kind = kind_of(take_until(rest, '\n'));
  auto uid = number_of<std::uint32_t>(take_until(rest, '\n'));
  auto gid = number_of<std::uint32_t>(take_until(rest, '\n'));
  auto pid = number_of<std::int32_t>(take_until(rest, '\n'));
  caller owner;
  if (!kind || !uid || !gid || !pid || !read_groups(take_until(rest, '\n'), owner.groups))
    return std::nullopt;
  owner.kind = *kind;
  owner.uid = *uid;
  owner.gid = *gid;
  owner.pid = *pid;
  owner.label = unescaped(take_until(rest, '\n'));
  owner.subject = unescaped(rest);
  // Nobody's certificate would be everybody's whose subject is not known.
  if (owner.kind == caller_kind::certificate && owner.subject.empty())
    return std::nullopt;
  return owner;
}

std::string encode_ending(const vm_ending& ending) {
  switch (ending.cause) {
    case end_cause::start_expired: return "start_expired";
    case end_cause::hung: return "hung";
    case end_cause::none:
    case end_cause::fault:
    case end_cause::stop: break;
  }
  return ending.kill ? "kill" : "stop " + std::to_string(ending.grace.count());
}

std::optional<vm_ending> decode_ending(const std::string& text) {
  if (text == "start_expired")
    return vm_ending{end_cause::start_expired, true, {}};
  if (text == "hung")
    return vm_ending{end_cause::hung, true, {}};
  if (text == "kill")
    return vm_ending{end_cause::stop, true, {}};
  std::string_view rest{text};
  auto stop = take_until(rest, ' ') == "stop";
  auto grace = number_of<std::int64_t>(rest);
  constexpr std::chrono::milliseconds most = std::chrono::hours{24};
  if (!stop || !grace || *grace < 0 || *grace > most.count())
    return std::nullopt;
  return vm_ending{end_cause::stop, false, std::chrono::milliseconds{*grace}};
}

vm_record read_record(const io::kept_vm& kept) {
  vm_record record;
  record.created_ms = unix_time_ms();
  auto past = [&](const std::string& text) {
    auto number = number_of<std::int64_t>(text);
    return number && *number > 0 ? number : std::nullopt;
  };
  read_note(kept, owner_note, true, decode_owner, record.owner);
  read_note(kept, created_note, true, past, record.created_ms);
  read_note(kept, restarts_note, false, number_of<std::uint32_t>, record.restarts);
  read_note(
    kept, plan_note, false, [](const std::string& text) { return std::optional{text}; },
    record.plan);
  read_note(kept, ending_note, false, decode_ending, record.ending);
  return record;
}

} // namespace crosvisor::actors
