// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/config_field.hpp"

#include <charconv>
#include <climits>

namespace crosvisor::io {

check read_flag(const json_value& value, const std::string& path, bool& target) {
  if (value.kind != json_kind::boolean)
    return unexpected_value(value, path, "true or false");
  target = value.boolean;
  return std::nullopt;
}

check read_text(const json_value& value, const std::string& path, std::string& target) {
  if (value.kind != json_kind::string)
    return unexpected_value(value, path, "text");
  target = value.text;
  return std::nullopt;
}

check read_path(const json_value& value, const std::string& path, std::string& target) {
  if (value.kind != json_kind::string || value.text.empty())
    return unexpected_value(value, path, "the path of a file");
  if (value.text.size() >= PATH_MAX) {
    return config_problem{value.offset, path + ": a path of " + std::to_string(value.text.size())
                                          + " bytes; at most " + std::to_string(PATH_MAX - 1)
                                          + " are allowed"};
  }
  target = value.text;
  return std::nullopt;
}

check read_whole(const json_value& value, const std::string& path, std::uint32_t low,
                 std::uint32_t high, std::uint32_t& target) {
  if (value.kind != json_kind::whole)
    return unexpected_value(value, path, "a whole number");
  std::uint32_t number = 0;
  const auto* end = value.text.data() + value.text.size();
  auto [stop, error] = std::from_chars(value.text.data(), end, number);
  if (error != std::errc{} || stop != end || number < low || number > high) {
    return config_problem{value.offset, path + ": " + value.describe()
                                          + " is out of range; allowed is " + std::to_string(low)
                                          + " to " + std::to_string(high)};
  }
  target = number;
  return std::nullopt;
}

config_problem unexpected_value(const json_value& value, const std::string& path,
                                const std::string& what) {
  return {value.offset, path + ": expected " + what + ", got " + value.describe()};
}

config_problem unknown_key(const json_member& member, const std::vector<std::string>& known) {
  auto what = "unknown key " + in_quotes(member.key);
  if (auto meant = nearest_word(member.key, known))
    what += "; did you mean " + in_quotes(*meant) + '?';
  return {member.key_offset, what};
}

} // namespace crosvisor::io
