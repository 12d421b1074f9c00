// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/payload_config.hpp"

#include "crosvisor/io/config/config_field.hpp"
#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <utility>

namespace crosvisor::io {

namespace {

using value_ref = const json_value&;
using path_ref = const std::string&;

/// Text of bounded length.
check read_short_text(value_ref value, path_ref path, std::string& target) {
  if (auto problem = read_text(value, path, target))
    return problem;
  if (target.size() > max_payload_text_bytes) {
    return config_problem{value.offset,
                          path + ": " + std::to_string(target.size()) + " bytes; at most "
                            + std::to_string(max_payload_text_bytes) + " are allowed"};
  }
  return std::nullopt;
}

check read_name(value_ref value, path_ref path, std::string& target) {
  if (auto problem = read_short_text(value, path, target))
    return problem;
  return target.empty() ? check{unexpected_value(value, path, "text that is not empty")}
                        : std::nullopt;
}

/// An array of at most `most` items, each read by `read(item, path)`.
template <class Read>
check read_list(value_ref value, path_ref path, std::size_t most, Read read) {
  if (value.kind != json_kind::array)
    return unexpected_value(value, path, "an array");
  if (value.items.size() > most) {
    return config_problem{value.offset, path + ": " + std::to_string(value.items.size())
                                          + " given; at most " + std::to_string(most)
                                          + " are allowed"};
  }
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    if (auto problem = read(value.items[i], path + '[' + std::to_string(i) + ']'))
      return problem;
  }
  return std::nullopt;
}

constexpr config_field<std::string> name_fields[] = {{"name", read_name}};
constexpr config_field<std::string> path_fields[] = {{"path", read_name}};

/// `{"name": "x"}`, an object that must have its one key, which Android may give more some day.
check read_only_key(value_ref value, path_ref path, const config_field<std::string> (&fields)[1],
                    std::string& target) {
  if (auto problem = read_object(value, path, fields, target, unknown_keys::ignored))
    return problem;
  if (value.find(fields[0].key) == nullptr)
    return config_problem{value.offset, path + '.' + fields[0].key + ": missing"};
  return std::nullopt;
}

/// Android's `os` may be without its name, and its name be empty, since 2024.
check read_os(value_ref value, path_ref path, payload_config& config) {
  static constexpr config_field<std::string> fields[] = {{"name", read_short_text}};
  return read_object(value, path, fields, config.os_name, unknown_keys::ignored);
}

check read_task_kind(value_ref value, path_ref path, payload_task& task) {
  if (value.kind == json_kind::string && value.text == "executable")
    task.kind = task_kind::executable;
  else if (value.kind == json_kind::string && value.text == "microdroid_launcher")
    task.kind = task_kind::microdroid_launcher;
  else
    return unexpected_value(value, path, "\"executable\" or \"microdroid_launcher\"");
  return std::nullopt;
}

check read_args(value_ref value, path_ref path, payload_task& task) {
  return read_list(value, path, max_payload_args, [&](value_ref item, path_ref item_path) {
    return read_short_text(item, item_path, task.args.emplace_back());
  });
}

constexpr config_field<payload_task> task_fields[] = {
  {"type", read_task_kind},
  {"command", [](value_ref v, path_ref p, payload_task& t) { return read_name(v, p, t.command); }},
  {"args", read_args},
};

check read_task(value_ref value, path_ref path, payload_config& config) {
  if (value.kind == json_kind::null)
    return std::nullopt;
  auto& task = config.task.emplace();
  if (auto problem = read_object(value, path, task_fields, task, unknown_keys::ignored))
    return problem;
  if (task.command.empty())
    return config_problem{value.offset, path + ".command: missing"};
  return std::nullopt;
}

check read_apexes(value_ref value, path_ref path, payload_config& config) {
  return read_list(value, path, max_payload_apexes, [&](value_ref item, path_ref item_path) {
    return read_only_key(item, item_path, name_fields, config.apexes.emplace_back());
  });
}

check read_extra_apks(value_ref value, path_ref path, payload_config& config) {
  return read_list(value, path, max_extra_apks, [&](value_ref item, path_ref item_path) {
    return read_only_key(item, item_path, path_fields, config.extra_apks.emplace_back());
  });
}

check read_export_tombstones(value_ref value, path_ref path, payload_config& config) {
  if (value.kind == json_kind::null)
    return std::nullopt;
  return read_flag(value, path, config.export_tombstones.emplace());
}

constexpr config_field<payload_config> payload_fields[] = {
  {"os", read_os},
  {"task", read_task},
  {"apexes", read_apexes},
  {"extra_apks", read_extra_apks},
  {"prefer_staged",
   [](value_ref v, path_ref p, payload_config& c) { return read_flag(v, p, c.prefer_staged); }},
  {"export_tombstones", read_export_tombstones},
  {"enable_authfs",
   [](value_ref v, path_ref p, payload_config& c) { return read_flag(v, p, c.enable_authfs); }},
  {"hugepages",
   [](value_ref v, path_ref p, payload_config& c) { return read_flag(v, p, c.hugepages); }},
};

} // namespace

result<payload_config> parse_payload_config(std::string_view text, const std::string& file_name) {
  json_source source{text, printable(file_name, max_payload_text_bytes)};
  auto document = parse_json(source);
  if (!document)
    return document.why();
  payload_config config;
  if (auto problem = read_object(*document, "", payload_fields, config, unknown_keys::ignored))
    return source.complain(problem->offset, problem->what);
  return config;
}

} // namespace crosvisor::io
