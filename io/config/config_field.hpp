// SPDX-License-Identifier: Apache-2.0
// How an object's keys are read into a struct: a table of fields, and readers for their values.
#pragma once

#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/io/config/nearest_word.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::io {

/// What is wrong with a document, and at which of its bytes.
struct config_problem {
  std::size_t offset = 0;
  std::string what;
};

/// Nothing when all is well.
using check = std::optional<config_problem>;

/// One key of an object, and how its value is read into a `Target`. `path` is the key as errors
/// name it, such as `disks[0].image`.
template <class Target>
struct config_field {
  const char* key;
  check (*read)(const json_value& value, const std::string& path, Target& target);
  /// Whether somebody who misspells a key may have meant this one.
  bool suggested = true;
};

/// Readers of one value; each refuses a value of another kind by saying what it has.
check read_flag(const json_value& value, const std::string& path, bool& target);
check read_text(const json_value& value, const std::string& path, std::string& target);
/// A path to a file: text, not empty, at most PATH_MAX.
check read_path(const json_value& value, const std::string& path, std::string& target);
check read_whole(const json_value& value, const std::string& path, std::uint32_t low,
                 std::uint32_t high, std::uint32_t& target);

/// `path: expected <what>, got <value>`.
config_problem unexpected_value(const json_value& value, const std::string& path,
                                const std::string& what);

/// One of an enumeration's words, which `parse` knows and `words` names.
template <class Enum, class Parse>
check read_word(const json_value& value, const std::string& path, const char* words, Parse parse,
                Enum& target) {
  auto parsed = value.kind == json_kind::string ? parse(value.text) : std::nullopt;
  if (!parsed)
    return unexpected_value(value, path, words);
  target = *parsed;
  return std::nullopt;
}

/// `unknown key "x"; did you mean "y"?`
config_problem unknown_key(const json_member& member, const std::vector<std::string>& known);

/// What becomes of keys that no field has.
enum class unknown_keys : std::uint8_t { refused, ignored };

/// Reads the object `value`, whose path is `path` (empty for the document itself), by `fields`, in
/// the order of the document.
template <class Target, std::size_t N>
check read_object(const json_value& value, const std::string& path,
                  const config_field<Target> (&fields)[N], Target& target,
                  unknown_keys unknown = unknown_keys::refused) {
  if (value.kind != json_kind::object)
    return unexpected_value(value, path.empty() ? "configuration" : path, "an object");
  for (const auto& member : value.members) {
    auto field = std::find_if(std::begin(fields), std::end(fields),
                              [&](const auto& f) { return member.key == f.key; });
    if (field == std::end(fields) && unknown == unknown_keys::ignored)
      continue;
    if (field == std::end(fields)) {
      std::vector<std::string> known;
      for (const auto& f : fields) {
        if (f.suggested)
          known.emplace_back(f.key);
      }
      return unknown_key(member, known);
    }
    auto member_path = path.empty() ? member.key : path + '.' + member.key;
    if (auto problem = field->read(member.value, member_path, target))
      return problem;
  }
  return std::nullopt;
}

} // namespace crosvisor::io
