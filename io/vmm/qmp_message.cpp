// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/qmp_message.hpp"

namespace crosvisor::io {

using nlohmann::json;

namespace {

qmp_answer read_answer(const json& object) {
  qmp_answer answer;
  answer.id = number_at(object, "id").value_or(0);
  if (auto error = object.find("error"); error != object.end()) {
    answer.error = string_at(*error, "desc");
    return answer;
  }
  answer.ok = true;
  answer.value = object["return"];
  return answer;
}

qmp_event read_event(const json& object) {
  auto data = object.find("data");
  auto has_data = data != object.end() && data->is_object();
  return {string_at(object, "event"), has_data ? *data : json::object()};
}

} // namespace

std::optional<std::string> line_framer::next() {
  auto end = buffer_.find('\n');
  if (end == buffer_.npos || end > max_line_bytes_)
    return std::nullopt;
  auto line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  if (!line.empty() && line.back() == '\r')
    line.pop_back();
  return line;
}

qmp_message parse_qmp(std::string_view line) {
  auto object = json::parse(line.begin(), line.end(), nullptr, false);
  if (!object.is_object())
    return qmp_nonsense{};
  if (object.contains("QMP"))
    return qmp_greeting{};
  if (object.contains("return") || object.contains("error"))
    return read_answer(object);
  if (object.contains("event"))
    return read_event(object);
  return qmp_nonsense{};
}

std::string qmp_request(std::uint64_t id, const std::string& command, const json& arguments) {
  json request{{"execute", command}, {"id", id}};
  if (!arguments.is_null())
    request["arguments"] = arguments;
  return request.dump() + '\n';
}

std::string string_at(const json& object, const char* key) {
  if (!object.is_object())
    return {};
  auto i = object.find(key);
  return i != object.end() && i->is_string() ? i->get<std::string>() : std::string{};
}

std::optional<std::uint64_t> number_at(const json& object, const char* key) {
  if (!object.is_object())
    return std::nullopt;
  auto i = object.find(key);
  if (i == object.end() || !i->is_number_unsigned())
    return std::nullopt;
  return i->get<std::uint64_t>();
}

} // namespace crosvisor::io
