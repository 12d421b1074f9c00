// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/vm_config.hpp"

#include "crosvisor/messages/text.hpp"

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

constexpr name_table<image_format, 3> format_names{{
  {image_format::raw, "raw"},
  {image_format::qcow2, "qcow2"},
  {image_format::sparse, "sparse"},
}};

constexpr name_table<debug_level, 2> debug_names{{
  {debug_level::none, "none"},
  {debug_level::full, "full"},
}};

constexpr name_table<restart_policy, 3> restart_names{{
  {restart_policy::never, "never"},
  {restart_policy::on_failure, "on_failure"},
  {restart_policy::always, "always"},
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

std::optional<std::string> partition_problem(const disk_config& disk, std::size_t i) {
  const auto& partition = disk.partitions[i];
  if (auto problem = label_problem(partition.label))
    return ".label: " + *problem;
  if (!partition.image)
    return ": has no image";
  if (partition.format == image_format::qcow2)
    return ".format: a partition is raw or sparse, not qcow2";
  if (partition.writable && partition.format == image_format::sparse)
    return ": a sparse image can't be written; make it raw, or the partition read-only";
  if (partition.writable && !disk.writable)
    return ".writable: its disk is not writable";
  if (!partition.guid.empty() && !valid_guid(partition.guid))
    return ".guid: is no GUID, such as C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
  for (std::size_t k = 0; k < i; ++k)
    if (disk.partitions[k].label == partition.label)
      return ".label: \"" + partition.label + "\" is partitions[" + std::to_string(k) + "]'s, too";
  return std::nullopt;
}

std::optional<std::string> disk_problem(const disk_config& disk) {
  if (disk.image && !disk.partitions.empty())
    return ": image and partitions: a disk has one or the other, not both";
  if (!disk.image && disk.partitions.empty())
    return ": has no image and no partitions";
  if (disk.image && disk.format == image_format::sparse)
    return ".format: a disk's image is raw or qcow2; sparse ones can be partitions";
  if (disk.partitions.size() > max_partitions)
    return ".partitions: " + std::to_string(disk.partitions.size()) + " given; at most "
           + std::to_string(max_partitions) + " are allowed";
  for (std::size_t i = 0; i < disk.partitions.size(); ++i)
    if (auto problem = partition_problem(disk, i))
      return ".partitions[" + std::to_string(i) + ']' + *problem;
  return std::nullopt;
}

/// What of the devices depends on the rest.
std::optional<std::string> device_problem(const vm_config& config) {
  if (auto problem = find_problem(config.devices, config.cpus))
    return problem;
  if (config.devices.gdb_port == 0)
    return std::nullopt;
  if (config.protected_vm)
    return "gdb: nobody looks into a protected VM";
  if (config.app && config.app.debug != debug_level::full)
    return "gdb: goes with an app's debug \"full\"";
  return std::nullopt;
}

/// A path inside an APK: relative, without `..`, which no ZIP entry of a payload needs.
bool valid_entry_path(const std::string& path) {
  if (path.size() > max_config_path_bytes || path.starts_with('/') || has_control_characters(path))
    return false;
  auto padded = '/' + path + '/';
  return padded.find("//") == std::string::npos && padded.find("/../") == std::string::npos
         && padded.find("/./") == std::string::npos;
}

std::optional<std::string> app_payload_problem(const app_config& app) {
  if (app.config_path.empty() == app.payload_binary.empty())
    return "app: give config_path or payload_binary, one of them";
  if (!app.config_path.empty() && !valid_entry_path(app.config_path))
    return "app.config_path: is no path inside an APK, such as assets/vm_config.json";
  if (!app.payload_binary.empty()
      && (!valid_entry_path(app.payload_binary)
          || app.payload_binary.find('/') != std::string::npos))
    return "app.payload_binary: is no file name";
  return std::nullopt;
}

std::optional<std::string> app_problem(const vm_config& config) {
  const auto& app = config.app;
  if (config.kernel || config.initrd || config.bootloader || !config.disks.empty())
    return "app: kernel, initrd, bootloader and disks are the operating system's";
  if (!app.idsig)
    return "app.idsig: missing; an app needs its APK's digest";
  if (!app.instance)
    return "app.instance: missing; an app needs an instance image";
  if (!valid_vm_name(app.os))
    return "app.os: is no name of an operating system";
  if (app.extra_apks.size() > max_extra_apks)
    return "app.extra_apks: " + std::to_string(app.extra_apks.size()) + " given; at most "
           + std::to_string(max_extra_apks) + " are allowed";
  for (const auto& extra : app.extra_apks)
    if (!extra.apk || !extra.idsig)
      return "app.extra_apks: each needs an apk and an idsig";
  return app_payload_problem(app);
}

std::optional<std::string> boot_problem(const vm_config& config) {
  if (config.app)
    return app_problem(config);
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
  if (has_control_characters(params))
    return "params: hold a control character; only printable text is allowed";
  return std::nullopt;
}

} // namespace

bool valid_vm_name(const vm_name& name) noexcept {
  return !name.empty() && name.size() <= max_name_bytes && is_letter(name.front())
         && std::all_of(name.begin(), name.end(), is_name_char);
}

bool valid_guid(const std::string& text) noexcept {
  constexpr char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (text.size() != sizeof(shape) - 1)
    return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = text[i];
    auto hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (shape[i] == 'x' ? !hex : c != '-')
      return false;
  }
  return true;
}

std::optional<std::string> label_problem(const std::string& label) {
  auto units = to_utf16(label);
  if (!units || has_control_characters(label))
    return "is not printable UTF-8 text";
  if (units->empty())
    return "is missing; a partition needs a label";
  if (units->size() > max_label_units)
    return "is " + std::to_string(units->size()) + " UTF-16 units long; at most "
           + std::to_string(max_label_units) + " are allowed";
  return std::nullopt;
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
  if (!(config.app && config.memory_mib == 0))
    if (auto problem =
          out_of_range("memory_mib", config.memory_mib, min_memory_mib, max_memory_mib))
      return problem;
  if (auto problem = out_of_range("cpus", config.cpus, 1, max_cpus))
    return problem;
  if (auto problem = device_problem(config))
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
    if (auto problem = disk_problem(config.disks[i]))
      return "disks[" + std::to_string(i) + ']' + *problem;
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

std::string to_string(debug_level level) {
  return name_of(debug_names, level);
}

std::string to_string(restart_policy policy) {
  return name_of(restart_names, policy);
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

std::optional<debug_level> parse_debug_level(const std::string& word) {
  return value_of(debug_names, word);
}

std::optional<restart_policy> parse_restart_policy(const std::string& word) {
  return value_of(restart_names, word);
}

} // namespace crosvisor
