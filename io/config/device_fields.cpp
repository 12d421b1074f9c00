// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/device_fields.hpp"

#include "crosvisor/messages/vm_config.hpp"

#include <utility>

namespace crosvisor::io {

namespace {

using value_ref = const json_value&;
using path_ref = const std::string&;

constexpr config_field<cpu_topology> topology_fields[] = {
  {"sockets", [](value_ref v, path_ref p,
                 cpu_topology& t) { return read_whole(v, p, 1, max_cpus, t.sockets); }},
  {"cores",
   [](value_ref v, path_ref p, cpu_topology& t) { return read_whole(v, p, 1, max_cpus, t.cores); }},
  {"threads", [](value_ref v, path_ref p,
                 cpu_topology& t) { return read_whole(v, p, 1, max_cpus, t.threads); }},
};

check read_interface(value_ref value, path_ref path, network_config& network) {
  if (value.kind != json_kind::string || !valid_interface_name(value.text))
    return unexpected_value(value, path, "the name of a tap interface");
  network.tap.path = value.text;
  return std::nullopt;
}

check read_mac(value_ref value, path_ref path, network_config& network) {
  if (value.kind != json_kind::string || !valid_mac(value.text))
    return unexpected_value(value, path, "an address of one card such as \"52:54:00:12:34:56\"");
  network.mac = value.text;
  return std::nullopt;
}

constexpr config_field<network_config> network_fields[] = {
  {"tap", read_interface},
  {"mac", read_mac},
};

/// A directory while it is read.
struct shared_draft {
  shared_directory made;
  bool writable_given = false;
};

constexpr config_field<shared_draft> shared_fields[] = {
  {"tag", [](value_ref v, path_ref p, shared_draft& d) { return read_text(v, p, d.made.tag); }},
  {"path",
   [](value_ref v, path_ref p, shared_draft& d) { return read_path(v, p, d.made.directory.path); }},
  {"writable",
   [](value_ref v, path_ref p, shared_draft& d) {
     d.writable_given = true;
     return read_flag(v, p, d.made.writable);
   }},
};

check read_shared_directory(value_ref value, path_ref path, shared_directory& target) {
  shared_draft draft;
  if (auto problem = read_object(value, path, shared_fields, draft))
    return problem;
  auto complain = [&](const char* what) { return config_problem{value.offset, path + what}; };
  if (draft.made.tag.empty())
    return complain(".tag: missing; the guest mounts a directory by its tag");
  if (!draft.made.directory)
    return complain(".path: missing; give a directory");
  if (!draft.writable_given)
    return complain(".writable: missing; say true or false");
  target = std::move(draft.made);
  return std::nullopt;
}

} // namespace

check read_cpu_topology(const json_value& value, const std::string& path, cpu_topology& topology) {
  cpu_topology made{1, 1, 1};
  if (auto problem = read_object(value, path, topology_fields, made))
    return problem;
  if (made.cpus() > max_cpus)
    return config_problem{value.offset, path + ": makes " + std::to_string(made.cpus())
                                          + " CPUs; at most " + std::to_string(max_cpus)
                                          + " are allowed"};
  topology = made;
  return std::nullopt;
}

check read_network(const json_value& value, const std::string& path, network_config& network) {
  network_config made;
  if (auto problem = read_object(value, path, network_fields, made))
    return problem;
  if (!made)
    return config_problem{value.offset,
                          path + ".tap: missing; a network card needs a tap interface"};
  network = std::move(made);
  return std::nullopt;
}

check read_shared_directories(const json_value& value, const std::string& path,
                              std::vector<shared_directory>& all) {
  if (value.kind != json_kind::array)
    return unexpected_value(value, path, "an array");
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    shared_directory one;
    if (auto problem =
          read_shared_directory(value.items[i], path + '[' + std::to_string(i) + ']', one))
      return problem;
    all.push_back(std::move(one));
  }
  return std::nullopt;
}

} // namespace crosvisor::io
