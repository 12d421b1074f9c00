// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/vm_config.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace crosvisor {

namespace {

template <class Enum, std::size_t N>
using name_table = std::array<std::pair<Enum, const char*>, N>;

constexpr name_table<vmm_kind, 3> vmm_names{{
  {vmm_kind::automatic, "auto"},
  {vmm_kind::crosvm, "crosvm"},
  {vmm_kind::qemu, "qemu"},
}};

constexpr name_table<accel_kind, 3> accel_names{{
  {accel_kind::automatic, "auto"},
  {accel_kind::kvm, "kvm"},
  {accel_kind::tcg, "tcg"},
}};

constexpr name_table<image_format, 2> format_names{{
  {image_format::raw, "raw"},
  {image_format::qcow2, "qcow2"},
}};

template <class Enum, std::size_t N>
std::string name_of(const name_table<Enum, N>& names, Enum value) {
  for (const auto& [key, name] : names)
    if (key == value)
      return name;
  return "invalid";
}

template <class Enum, std::size_t N>
std::optional<Enum> value_of(const name_table<Enum, N>& names, const std::string& word) {
  for (const auto& [key, name] : names)
    if (word == name)
      return key;
  return std::nullopt;
}

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_name_char(char c) noexcept {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

std::optional<std::string> out_of_range(const char* key, std::uint64_t value, std::uint64_t low,
                                        std::uint64_t high) {
  if (value >= low && value <= high)
    return std::nullopt;
  return std::string{key} + ": " + std::to_string(value) + " is out of range; allowed is "
         + std::to_string(low) + " to " + std::to_string(high);
}

std::optional<std::string> boot_problem(const vm_config& config) {
  if (config.kernel && config.bootloader)
    return "kernel and bootloader: a VM has one or the other, not both";
  if (!config.kernel && !config.bootloader)
    return "kernel: missing; a VM needs a kernel or a bootloader";
  if (config.initrd && config.bootloader)
    return "initrd: goes with a kernel, not with a bootloader";
  if (!config.params.empty() && config.bootloader)
    return "params: go with a kernel, not with a bootloader";
  return std::nullopt;
}

std::optional<std::string> params_problem(const std::string& params) {
  if (params.size() > max_params_bytes)
    return "params: " + std::to_string(params.size()) + " bytes; at most "
           + std::to_string(max_params_bytes) + " are allowed";
  // A line break or NUL would end the command line early, or hide a part of it from a reader.
  auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::any_of(params.begin(), params.end(), control))
    return "params: hold a control character; only printable text is allowed";
  return std::nullopt;
}

} // namespace

bool valid_vm_name(const vm_name& name) noexcept {
  return !name.empty() && name.size() <= max_name_bytes && is_letter(name.front())
         && std::all_of(name.begin(), name.end(), is_name_char);
}

std::optional<std::string> find_problem(const vm_config& config) {
  if (!config.name.empty() && !valid_vm_name(config.name))
    return "name: \"" + config.name.substr(0, max_name_bytes)
           + "\" is not a name; allowed are letters, digits, '.', '_' and '-', a letter first, at "
             "most "
           + std::to_string(max_name_bytes);
  if (auto problem = boot_problem(config))
    return problem;
  if (auto problem = params_problem(config.params))
    return problem;
  if (auto problem = out_of_range("memory_mib", config.memory_mib, min_memory_mib, max_memory_mib))
    return problem;
  if (auto problem = out_of_range("cpus", config.cpus, 1, max_cpus))
    return problem;
  if (config.started_timeout_s > max_started_timeout_s)
    return out_of_range("started_timeout_s", config.started_timeout_s, 1, max_started_timeout_s);
  if (config.started_timeout_s > 0 && !config.guest_protocol)
    return "started_timeout_s: goes with guest_protocol, without which no guest says that it "
           "started";
  if (config.disks.size() > max_disks)
    return "disks: " + std::to_string(config.disks.size()) + " given; at most "
           + std::to_string(max_disks) + " are allowed";
  for (std::size_t i = 0; i < config.disks.size(); ++i)
    if (!config.disks[i].image)
      return "disks[" + std::to_string(i) + "]: has no image";
  return std::nullopt;
}

std::string to_string(vmm_kind kind) {
  return name_of(vmm_names, kind);
}

std::string to_string(accel_kind kind) {
  return name_of(accel_names, kind);
}

std::string to_string(image_format format) {
  return name_of(format_names, format);
}

std::optional<vmm_kind> parse_vmm_kind(const std::string& word) {
  return value_of(vmm_names, word);
}

std::optional<accel_kind> parse_accel_kind(const std::string& word) {
  return value_of(accel_names, word);
}

std::optional<image_format> parse_image_format(const std::string& word) {
  return value_of(format_names, word);
}

} // namespace crosvisor
