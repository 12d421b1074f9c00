// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/apex_list.hpp"

#include "crosvisor/io/config/config_field.hpp"
#include "crosvisor/io/config/json_document.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

namespace crosvisor::io {

namespace {

using value_ref = const json_value&;
using path_ref = const std::string&;

constexpr std::uint32_t any_number = std::numeric_limits<std::uint32_t>::max();

constexpr config_field<apex_info> apex_fields[] = {
  {"path", [](value_ref v, path_ref p, apex_info& a) { return read_path(v, p, a.path); }},
  {"version",
   [](value_ref v, path_ref p, apex_info& a) {
     std::uint32_t number = 0;
     auto problem = read_whole(v, p, 0, any_number, number);
     a.version = number;
     return problem;
   }},
  {"last_update",
   [](value_ref v, path_ref p, apex_info& a) {
     std::uint32_t number = 0;
     auto problem = read_whole(v, p, 0, any_number, number);
     a.last_update_seconds = number;
     return problem;
   }},
  {"factory", [](value_ref v, path_ref p, apex_info& a) { return read_flag(v, p, a.factory); }},
  {"active", [](value_ref v, path_ref p, apex_info& a) { return read_flag(v, p, a.active); }},
  {"shared_libs",
   [](value_ref v, path_ref p, apex_info& a) { return read_flag(v, p, a.shared_libs); }},
};

check read_apex(const json_member& member, apex_info& apex) {
  apex.name = member.key;
  auto path = in_quotes(member.key);
  if (member.key.empty())
    return config_problem{member.key_offset, "an APEX without a name"};
  if (member.value.kind != json_kind::object)
    return read_path(member.value, path, apex.path);
  if (auto problem = read_object(member.value, path, apex_fields, apex))
    return problem;
  if (apex.path.empty())
    return config_problem{member.value.offset, path + ".path: missing"};
  return std::nullopt;
}

check read_apexes(value_ref document, std::vector<apex_info>& apexes) {
  if (document.kind != json_kind::object)
    return unexpected_value(document, "list of APEXes", "an object");
  if (document.members.size() > max_listed_apexes) {
    return config_problem{document.offset, std::to_string(document.members.size())
                                             + " APEXes; at most "
                                             + std::to_string(max_listed_apexes) + " are allowed"};
  }
  for (const auto& member : document.members) {
    if (auto problem = read_apex(member, apexes.emplace_back()))
      return problem;
  }
  return std::nullopt;
}

/// Why a list has no active APEX of that name.
failure missing(const apex_list& list, const wanted_apex& wanted) {
  auto what = wanted.asked_by + ' ' + in_quotes(wanted.name) + ": ";
  if (wanted.name == "{CLASSPATH}")
    return {0, what + "the APEXes of Android's class path; this host has no class path"};
  auto listed = std::any_of(list.apexes.begin(), list.apexes.end(),
                            [&](const auto& apex) { return apex.name == wanted.name; });
  if (listed)
    return {0, what + "the APEX is not active in " + printable(list.file, 4096)};
  std::vector<std::string> names;
  for (const auto& apex : list.apexes)
    names.push_back(apex.name);
  what += "no such APEX in " + printable(list.file, 4096);
  if (auto meant = nearest_word(wanted.name, names))
    what += "; did you mean " + in_quotes(*meant) + '?';
  return {0, what};
}

auto order_of(const apex_info& apex) {
  return std::tie(apex.name, apex.version, apex.last_update_seconds, apex.path);
}

} // namespace

result<apex_list> parse_apex_map(std::string_view text, const std::string& file_name) {
  json_source source{text, printable(file_name, 4096)};
  auto document = parse_json(source);
  if (!document)
    return document.why();
  apex_list list{file_name, {}};
  if (auto problem = read_apexes(*document, list.apexes))
    return source.complain(problem->offset, problem->what);
  return list;
}

result<std::vector<apex_info>> select_apexes(const apex_list& list,
                                             const std::vector<wanted_apex>& wanted) {
  std::set<std::string> names, found;
  std::set<std::pair<std::string, std::string>> files;
  for (const auto& apex : wanted)
    names.insert(apex.name);
  std::vector<apex_info> selected;
  for (const auto& apex : list.apexes) {
    if (!apex.active)
      continue;
    if (names.count(apex.name) > 0)
      found.insert(apex.name);
    bool is_wanted = names.count(apex.name) > 0 || apex.shared_libs;
    if (is_wanted && files.emplace(apex.name, apex.path).second)
      selected.push_back(apex);
  }
  for (const auto& apex : wanted) {
    if (found.count(apex.name) == 0)
      return missing(list, apex);
  }
  std::sort(selected.begin(), selected.end(),
            [](const auto& a, const auto& b) { return order_of(a) < order_of(b); });
  return selected;
}

} // namespace crosvisor::io
