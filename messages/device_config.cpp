// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/device_config.hpp"

#include <algorithm>

namespace crosvisor {

namespace {

std::optional<std::string> out_of_range(const std::string& key, std::uint64_t value,
                                        std::uint64_t low, std::uint64_t high) {
  if (value >= low && value <= high)
    return std::nullopt;
  return key + ": " + std::to_string(value) + " is out of range; allowed is " + std::to_string(low)
         + " to " + std::to_string(high);
}

std::string counted(std::uint32_t count, const char* noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

std::optional<std::string> topology_problem(const cpu_topology& topology, std::uint32_t cpus) {
  if (!topology || topology.cpus() == cpus)
    return std::nullopt;
  return "cpu_topology: " + counted(topology.sockets, "socket") + " of "
         + counted(topology.cores, "core") + " of " + counted(topology.threads, "thread") + " make "
         + std::to_string(topology.cpus()) + " CPUs, and cpus is " + std::to_string(cpus);
}

std::optional<std::string> network_problem(const network_config& network) {
  if (!network)
    return network.mac.empty() ? std::nullopt
                               : std::optional<std::string>{"network: has no tap interface"};
  if (!valid_interface_name(network.tap.path))
    return "network.tap: is no name of a network interface";
  if (!network.mac.empty() && !valid_mac(network.mac))
    return "network.mac: is no address of one card, such as 52:54:00:12:34:56";
  return std::nullopt;
}

/// A tag is an argument of the VMM's among others, and a word of the guest's mount command.
bool valid_tag(const std::string& tag) {
  return !tag.empty() && tag.size() <= max_tag_bytes
         && std::all_of(tag.begin(), tag.end(), [](char c) {
              return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
                     || c == '.' || c == '_' || c == '-';
            });
}

std::optional<std::string> shared_problem(const std::vector<shared_directory>& all) {
  if (all.size() > max_shared_directories)
    return "shared_directories: " + std::to_string(all.size()) + " given; at most "
           + std::to_string(max_shared_directories) + " are allowed";
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto key = "shared_directories[" + std::to_string(i) + ']';
    if (!valid_tag(all[i].tag))
      return key + ".tag: is no tag; allowed are letters, digits, '.', '_' and '-', at most "
             + std::to_string(max_tag_bytes);
    if (!all[i].directory)
      return key + ".path: missing; give a directory";
    for (std::size_t k = 0; k < i; ++k)
      if (all[k].tag == all[i].tag)
        return key + ".tag: \"" + all[i].tag + "\" is shared_directories[" + std::to_string(k)
               + "]'s, too";
  }
  return std::nullopt;
}

} // namespace

bool valid_mac(const std::string& mac) noexcept {
  constexpr std::size_t length = 17;
  if (mac.size() != length)
    return false;
  for (std::size_t i = 0; i < length; ++i) {
    auto c = mac[i];
    auto hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (i % 3 == 2 ? c != ':' : !hex)
      return false;
  }
  // The lowest bit of the first byte is set in a group's address.
  auto low = mac[1];
  auto digit = low <= '9' ? low - '0' : (low | 0x20) - 'a' + 10;
  return digit % 2 == 0 && mac != "00:00:00:00:00:00";
}

bool valid_interface_name(const std::string& name) noexcept {
  constexpr std::size_t longest = 15; // IFNAMSIZ without its NUL
  if (name.empty() || name.size() > longest || name == "." || name == "..")
    return false;
  // Linux would make a number of a `%`.
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '/' && c != ':' && c != '%';
  });
}

std::optional<std::string> find_problem(const device_config& devices, std::uint32_t cpus) {
  if (auto problem = topology_problem(devices.topology, cpus))
    return problem;
  if (devices.gdb_port != 0)
    if (auto problem = out_of_range("gdb", devices.gdb_port, min_gdb_port, 65535))
      return problem;
  if (auto problem = network_problem(devices.network))
    return problem;
  if (auto problem = shared_problem(devices.shared_directories))
    return problem;
  if (auto problem = out_of_range("crash_files", devices.crash_files, 0, max_crash_files))
    return problem;
  return out_of_range("crash_file_kib", devices.crash_file_kib, 1, max_crash_file_kib);
}

bool need_custom(const device_config& devices) noexcept {
  return devices.hugepages || devices.gdb_port != 0 || devices.network
         || !devices.shared_directories.empty() || devices.pstore;
}

} // namespace crosvisor
