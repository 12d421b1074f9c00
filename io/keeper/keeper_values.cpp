// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_values.hpp"

#include "crosvisor/io/keeper/value_arrays.hpp"

namespace crosvisor::io {

namespace {

using nlohmann::json;

/// The members of an object, each if it is there.
class member_reader {
public:
  explicit member_reader(const json& from) : from_(from), good_(from.is_object()) {}

  template <class T>
  member_reader& operator()(const char* key, T& to) {
    if (auto found = good_ ? from_.find(key) : from_.end(); found != from_.end())
      good_ = values_.read(*found, to, key);
    return *this;
  }

  template <class T>
  std::optional<T> done(T made) const {
    return good_ ? std::optional{std::move(made)} : std::nullopt;
  }

private:
  const json& from_;
  bool good_;
  value_reader values_;
};

/// All that vm_state.hpp knows; the numbers between are nobody's.
bool is_known(death_reason reason) {
  return to_string(reason) != to_string(static_cast<death_reason>(255));
}

} // namespace

json to_json(const vm_notes& notes) {
  auto made = json::object();
  for (const auto& [key, value] : notes)
    if (made.size() < max_notes && key.size() <= max_note_bytes && value.size() <= max_note_bytes)
      made[key] = to_json_value(value);
  return made;
}

json to_json(const vmm_exit& exit) {
  return {{"kind", to_json_value(exit.kind)},
          {"value", exit.value},
          {"reason", to_json_value(exit.reason)},
          {"detail", to_json_value(exit.detail)}};
}

json to_json(const payload_status& status) {
  return {{"kind", to_json_value(status.kind)},
          {"exit_code", status.exit_code},
          {"error", to_json_value(status.error)},
          {"message", to_json_value(status.message)}};
}

std::optional<vm_notes> notes_from_json(const json& from) {
  vm_notes notes;
  value_reader values;
  if (!from.is_object() || from.size() > max_notes)
    return std::nullopt;
  for (const auto& [key, value] : from.items()) {
    auto& note = notes[key];
    if (!values.read(value, note, key) || key.size() > max_note_bytes
        || note.size() > max_note_bytes)
      return std::nullopt;
  }
  return notes;
}

std::optional<vmm_exit> exit_from_json(const json& from) {
  vmm_exit exit;
  member_reader read{from};
  read("kind", exit.kind)("value", exit.value)("reason", exit.reason)("detail", exit.detail);
  if (exit.kind > exit_kind::vanished || !is_known(exit.reason))
    return std::nullopt;
  return read.done(exit);
}

std::optional<payload_status> status_from_json(const json& from) {
  payload_status status;
  member_reader read{from};
  read("kind", status.kind)("exit_code", status.exit_code)("error", status.error)("message",
                                                                                  status.message);
  if (status.kind > payload_status_kind::error
      || status.error > payload_error::payload_invalid_config
      || status.message.size() > max_status_message_bytes)
    return std::nullopt;
  return read.done(status);
}

std::string to_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace crosvisor::io
