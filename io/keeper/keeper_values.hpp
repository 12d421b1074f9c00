// SPDX-License-Identifier: Apache-2.0
// The values in keepers' packets and records, as JSON objects.
#pragma once

#include "crosvisor/io/backend.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>

namespace crosvisor::io {

/// {key: value}. At most max_notes of them, each of at most max_note_bytes; the rest is left out.
nlohmann::json to_json(const vm_notes& notes);

/// {kind, value, reason, detail}, the first three as numbers.
nlohmann::json to_json(const vmm_exit& exit);

/// {kind, exit_code, error, message}, the first three as numbers.
nlohmann::json to_json(const payload_status& status);

/// The inverses. What is missing has its default, other keys are left; nothing where the value is
/// no object, or one of its members is of another type or out of its range.
std::optional<vm_notes> notes_from_json(const nlohmann::json& from);
std::optional<vmm_exit> exit_from_json(const nlohmann::json& from);
std::optional<payload_status> status_from_json(const nlohmann::json& from);

/// One line, whatever bytes are in it: what is no UTF-8 in a text becomes U+FFFD.
std::string to_line(const nlohmann::json& value);

} // namespace crosvisor::io
