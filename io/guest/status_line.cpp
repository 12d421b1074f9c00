// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/status_line.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <nlohmann/json.hpp>

#include <limits>
#include <optional>

namespace crosvisor::io {

namespace {

using json = nlohmann::json;

constexpr payload_status_kind kinds[] = {payload_status_kind::started, payload_status_kind::ready,
                                         payload_status_kind::finished, payload_status_kind::error};

failure wrong(const char* what) {
  return {0, std::string{"status line: "} + what};
}

std::optional<payload_status_kind> kind_of(const json& line) {
  auto status = line.find("status");
  if (status == line.end() || !status->is_string())
    return std::nullopt;
  for (auto kind : kinds)
    if (status->get_ref<const std::string&>() == to_string(kind))
      return kind;
  return std::nullopt;
}

/// A whole number within bounds.
std::optional<std::int64_t> number_of(const json& line, const char* key, std::int64_t least,
                                      std::int64_t most) {
  auto value = line.find(key);
  if (value == line.end() || !value->is_number_integer())
    return std::nullopt;
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t(INT64_MAX))
    return std::nullopt;
  auto number = value->get<std::int64_t>();
  if (number < least || number > most)
    return std::nullopt;
  return number;
}

result<payload_status> read_finished(const json& line, payload_status status) {
  using limits = std::numeric_limits<std::int32_t>;
  auto code = number_of(line, "exit_code", limits::min(), limits::max());
  if (!code)
    return wrong("finished needs exit_code, a whole number of 32 bits");
  status.exit_code = static_cast<std::int32_t>(*code);
  return status;
}

result<payload_status> read_error(const json& line, payload_status status) {
  auto code = number_of(line, "code", 0, 3);
  if (!code)
    return wrong("error needs code, 0 to 3");
  status.error = static_cast<payload_error>(*code);
  auto message = line.find("message");
  if (message == line.end())
    return status;
  if (!message->is_string())
    return wrong("message is no string");
  status.message = printable(message->get_ref<const std::string&>(), max_status_message_bytes);
  return status;
}

} // namespace

result<payload_status> parse_status_line(std::string_view text) {
  if (text.size() > max_status_line_bytes)
    return wrong("longer than 4096 bytes");
  auto line = json::parse(text.begin(), text.end(), nullptr, false);
  if (!line.is_object())
    return wrong("no JSON object");
  auto kind = kind_of(line);
  if (!kind)
    return wrong("status is none of started, ready, finished, error");
  payload_status status;
  status.kind = *kind;
  switch (*kind) {
    case payload_status_kind::finished: return read_finished(line, std::move(status));
    case payload_status_kind::error: return read_error(line, std::move(status));
    default: return status;
  }
}

} // namespace crosvisor::io
