// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/os_definition.hpp"

#include "crosvisor/io/config/config_field.hpp"
#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/io/config/vm_config_file.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::io {

namespace {

using value_ref = const json_value&;
using path_ref = const std::string&;

check read_names(value_ref value, path_ref path, std::vector<std::string>& names) {
  if (value.kind != json_kind::array)
    return unexpected_value(value, path, "an array");
  if (value.items.size() > max_os_apexes) {
    return config_problem{value.offset, path + ": " + std::to_string(value.items.size())
                                          + " given; at most " + std::to_string(max_os_apexes)
                                          + " are allowed"};
  }
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    auto item_path = path + '[' + std::to_string(i) + ']';
    if (auto problem = read_text(value.items[i], item_path, names.emplace_back()))
      return problem;
  }
  return std::nullopt;
}

check read_list_path(value_ref value, path_ref path, os_apexes& apexes) {
  if (auto problem = read_path(value, path, apexes.list))
    return problem;
  if (!apexes.list.ends_with(".xml") && !apexes.list.ends_with(".json"))
    return unexpected_value(value, path, "the path of an .xml or .json file");
  return std::nullopt;
}

constexpr config_field<os_debug> debug_fields[] = {
  {"initrd", [](value_ref v, path_ref p, os_debug& d) { return read_path(v, p, d.initrd); }},
  {"params", [](value_ref v, path_ref p, os_debug& d) { return read_text(v, p, d.params); }},
  {"bootconfig",
   [](value_ref v, path_ref p, os_debug& d) { return read_path(v, p, d.bootconfig); }},
};

constexpr config_field<os_apexes> apex_fields[] = {
  {"list", read_list_path},
  {"always", [](value_ref v, path_ref p, os_apexes& a) { return read_names(v, p, a.always); }},
  {"debug", [](value_ref v, path_ref p, os_apexes& a) { return read_names(v, p, a.debug); }},
};

/// Takes a key out of an object.
std::optional<json_member> take(json_value& object, std::string_view key) {
  auto i = std::find_if(object.members.begin(), object.members.end(),
                        [&](const auto& member) { return member.key == key; });
  if (i == object.members.end())
    return std::nullopt;
  auto member = std::move(*i);
  object.members.erase(i);
  return member;
}

/// Takes `role` out of each disk.
check take_roles(json_value& document, std::optional<std::size_t>& instance_disk) {
  auto disks = std::find_if(document.members.begin(), document.members.end(),
                            [](const auto& member) { return member.key == "disks"; });
  if (disks == document.members.end())
    return std::nullopt;
  auto& items = disks->value.items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto path = "disks[" + std::to_string(i) + "].role";
    auto role = take(items[i], "role");
    if (!role || (role->value.kind == json_kind::string && role->value.text == "system"))
      continue;
    if (role->value.kind != json_kind::string || role->value.text != "instance")
      return unexpected_value(role->value, path, "\"system\" or \"instance\"");
    if (instance_disk) {
      return config_problem{role->value.offset, path + ": disks[" + std::to_string(*instance_disk)
                                                  + "] is the instance disk already"};
    }
    instance_disk = i;
  }
  return std::nullopt;
}

/// Takes out what a VM's own configuration has not.
check take_own_keys(json_value& document, os_definition& os) {
  if (auto apexes = take(document, "apexes")) {
    if (auto problem = read_object(apexes->value, "apexes", apex_fields, os.apexes))
      return problem;
    if (os.apexes.list.empty())
      return config_problem{apexes->value.offset, "apexes.list: missing"};
  }
  if (auto debug = take(document, "debug"))
    if (auto problem = read_object(debug->value, "debug", debug_fields, os.debug))
      return problem;
  return take_roles(document, os.instance_disk);
}

/// Every VM of an operating system has the same files, so none may write them.
std::optional<std::string> disk_problem(const disk_config& disk, bool is_instance_disk) {
  if (disk.image && disk.writable)
    return ".writable: an operating system's image is only read; make it false";
  if (is_instance_disk && (disk.image || !disk.writable))
    return ": the instance disk needs partitions, and writable true";
  for (std::size_t i = 0; i < disk.partitions.size(); ++i)
    if (disk.partitions[i].writable)
      return ".partitions[" + std::to_string(i)
             + "].writable: an operating system's image is only read; make it false";
  return std::nullopt;
}

check find_os_problem(const json_value& document, const os_definition& os) {
  if (!os.debug.initrd.empty() && !os.config.kernel)
    return config_problem{document.offset, "debug.initrd: goes with a kernel"};
  const auto* disks = document.find("disks");
  for (std::size_t i = 0; i < os.config.disks.size(); ++i) {
    if (auto problem = disk_problem(os.config.disks[i], os.instance_disk == i))
      return config_problem{disks->value.items[i].offset,
                            "disks[" + std::to_string(i) + ']' + *problem};
  }
  return std::nullopt;
}

} // namespace

result<os_definition> parse_os_definition(std::string_view text, const std::string& file_name) {
  json_source source{text, printable(file_name, 4096)};
  auto document = parse_json(source);
  if (!document)
    return document.why();
  os_definition os;
  os.file = file_name;
  if (document->kind == json_kind::object)
    if (auto problem = take_own_keys(*document, os))
      return source.complain(problem->offset, problem->what);
  auto config = read_vm_config(*document, source);
  if (!config)
    return config.why();
  os.config = std::move(*config);
  if (auto problem = find_os_problem(*document, os))
    return source.complain(problem->offset, problem->what);
  return os;
}

} // namespace crosvisor::io
