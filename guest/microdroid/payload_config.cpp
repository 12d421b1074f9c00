// SPDX-License-Identifier: Apache-2.0
#include "payload_config.hpp"

#include "json.hpp"

#include <cstring>
#include <string_view>

namespace crosvisor::guest {

namespace {

constexpr auto bad = cause::invalid_config;

outcome read_type(json_reader& reader, task& found) {
  auto* type = reader.string();
  if (type == nullptr)
    return {};
  found.launched = std::string_view{type} == "microdroid_launcher";
  if (!found.launched && std::string_view{type} != "executable")
    return wrong(
      bad, "the task's type is \"%s\"; there are \"executable\" and \"microdroid_launcher\"", type);
  return {};
}

outcome read_arguments(json_reader& reader, task& found) {
  found.argument_count = 0;
  if (!reader.begin_array())
    return {};
  for (auto first = true; reader.next_element(first); first = false) {
    if (found.argument_count == task::most_arguments)
      return wrong(bad, "the task has more than %d arguments", task::most_arguments);
    found.arguments[found.argument_count++] = reader.string();
  }
  return {};
}

/// A fault in the text itself stops the loop, and is told by whoever has the reader.
outcome read_task(json_reader& reader, task& found) {
  outcome read;
  found = {};
  if (!reader.begin_object())
    return read;
  auto* key = reader.next_key(true);
  for (; key != nullptr && read.good(); key = read.good() ? reader.next_key(false) : nullptr) {
    std::string_view name = key;
    if (name == "type")
      read = read_type(reader, found);
    else if (name == "command")
      found.command = reader.string();
    else if (name == "args")
      read = read_arguments(reader, found);
    else
      reader.skip();
  }
  return read;
}

outcome check(const task& found) {
  if (found.command == nullptr)
    return wrong(bad, "the configuration has no task with a command");
  if (*found.command == '\0')
    return wrong(bad, "the task's command is empty");
  if (found.launched && !is_file_name(found.command))
    return wrong(bad, "the task's command \"%s\" is no name of a file in lib/", found.command);
  return {};
}

} // namespace

bool is_file_name(const char* name) {
  std::string_view text = name;
  return !text.empty() && text != "." && text != ".." && text.find('/') == std::string_view::npos;
}

outcome read_payload_config(char* text, std::size_t size, task& found) {
  found = {};
  json_reader reader{text, size};
  if (reader.begin_object()) {
    auto* key = reader.next_key(true);
    for (; key != nullptr; key = reader.next_key(false)) {
      // A task that is null is none, as in Android.
      if (std::string_view{key} != "task" || reader.peek() != '{') {
        reader.skip();
        continue;
      }
      if (auto read = read_task(reader, found); !read.good())
        return read;
    }
  }
  if (!reader.at_end())
    return wrong(bad, "the configuration is no JSON object that makes sense; byte %zu of %zu",
                 reader.position(), size);
  return check(found);
}

} // namespace crosvisor::guest
