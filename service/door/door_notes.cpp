// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/door_notes.hpp"

#include "crosvisor/io/keeper/value_arrays.hpp"
#include "crosvisor/io/logging.hpp"

#include <utility>

namespace crosvisor::door {

namespace {

using nlohmann::json;

caller principal_of(const caller& who) {
  caller principal;
  principal.kind = who.kind;
  principal.uid = who.uid;
  principal.gid = who.gid;
  principal.subject = who.subject;
  return principal;
}

/// The first of them, as many as a note has room for.
std::vector<caller> principals_of(const std::vector<caller>& all) {
  constexpr std::size_t spare = 64;
  std::vector<caller> some;
  std::size_t bytes = spare;
  for (const auto& who : all) {
    auto one = principal_of(who);
    bytes += io::to_json_value(one).dump().size() + 1;
    if (bytes > io::max_note_bytes) {
      log::warn("door can't note all {} users of a VM: their subjects are too long", all.size());
      break;
    }
    some.push_back(std::move(one));
  }
  return some;
}

bool is_known(const caller& who) {
  // Nobody's certificate would be everybody's whose subject is not known.
  return who.kind <= caller_kind::certificate
         && (who.kind != caller_kind::certificate || !who.subject.empty());
}

template <class T>
std::optional<T> decode(const io::vm_notes& notes, const char* key) {
  auto note = notes.find(key);
  if (note == notes.end())
    return std::nullopt;
  T value;
  io::value_reader reader;
  auto text = json::parse(note->second, nullptr, false);
  if (text.is_discarded() || !reader.read(text, value, key)) {
    log::warn("door can't read a VM's note \"{}\": {}", key,
              text.is_discarded() ? "it is no JSON" : reader.problem());
    return std::nullopt;
  }
  return value;
}

} // namespace

std::string encode(const noted_references& references) {
  return io::to_json_value(noted_references{references.held, principals_of(references.of)}).dump();
}

std::string encode(const std::vector<caller>& users) {
  return io::to_json_value(principals_of(users)).dump();
}

std::optional<noted_references> decode_references(const io::vm_notes& notes) {
  auto references = decode<noted_references>(notes, references_note);
  if (references)
    std::erase_if(references->of, [](const caller& who) { return !is_known(who); });
  return references;
}

std::optional<std::vector<caller>> decode_users(const io::vm_notes& notes) {
  auto users = decode<std::vector<caller>>(notes, users_note);
  if (users)
    std::erase_if(*users, [](const caller& who) { return !is_known(who); });
  return users;
}

} // namespace crosvisor::door
