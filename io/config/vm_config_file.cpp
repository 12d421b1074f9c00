// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/vm_config_file.hpp"

#include "crosvisor/io/config/config_field.hpp"
#include "crosvisor/io/config/device_fields.hpp"
#include "crosvisor/io/config/disk_fields.hpp"
#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/io/config/semver_requirement.hpp"

#include <algorithm>
#include <thread>

namespace crosvisor::io {

namespace {

using value_ref = const json_value&;
using path_ref = const std::string&;

/// A configuration while it is read.
struct config_draft {
  vm_config config;
  bool cpus_given = false;
  bool topology_given = false;
};

check unsupported(value_ref value, path_ref path, const std::string& why) {
  return config_problem{value.offset, path + ": " + why};
}

check read_topology(value_ref value, path_ref path, config_draft& draft) {
  if (value.kind == json_kind::object)
    return read_cpu_topology(value, path, draft.config.devices.topology);
  draft.topology_given = true;
  if (value.kind == json_kind::string && value.text == "one_cpu") {
    draft.config.cpus = 1;
    return std::nullopt;
  }
  if (value.kind != json_kind::string || value.text != "match_host")
    return unexpected_value(value, path, "\"one_cpu\", \"match_host\" or an object");
  draft.config.cpus = std::clamp(std::thread::hardware_concurrency(), 1u, max_cpus);
  return std::nullopt;
}

check read_platform_version(value_ref value, path_ref path, config_draft&) {
  auto met =
    value.kind == json_kind::string ? meets_requirement(value.text, {1, 0, 0}) : std::nullopt;
  if (!met)
    return unexpected_value(value, path, "a version requirement such as \"~1.0\"");
  if (!*met) {
    return unsupported(value, path,
                       "requires " + value.describe() + "; the platform is " + platform_version);
  }
  return std::nullopt;
}

check read_devices(value_ref value, path_ref path, config_draft&) {
  if (value.kind != json_kind::array)
    return unexpected_value(value, path, "an array");
  if (!value.items.empty())
    return unsupported(value, path, "passing host devices to a VM is not supported");
  return std::nullopt;
}

struct usb_draft {};

check read_usb_controller(value_ref value, path_ref path, usb_draft&) {
  bool wanted = false;
  if (auto problem = read_flag(value, path, wanted))
    return problem;
  return wanted ? unsupported(value, path, "USB is not supported") : std::nullopt;
}

constexpr config_field<usb_draft> usb_fields[] = {{"controller", read_usb_controller}};

check read_usb(value_ref value, path_ref path, config_draft&) {
  usb_draft usb;
  return read_object(value, path, usb_fields, usb);
}

/// Says where input goes; a VM's console has none here, so either device is as good.
check read_input_device(value_ref value, path_ref path, config_draft&) {
  if (value.kind != json_kind::string || (value.text != "hvc0" && value.text != "ttyS0"))
    return unexpected_value(value, path, "\"hvc0\" or \"ttyS0\"");
  return std::nullopt;
}

constexpr config_field<config_draft> vm_fields[] = {
  {"name", [](value_ref v, path_ref p, config_draft& d) { return read_text(v, p, d.config.name); }},
  {"kernel",
   [](value_ref v, path_ref p, config_draft& d) { return read_path(v, p, d.config.kernel.path); }},
  {"initrd",
   [](value_ref v, path_ref p, config_draft& d) { return read_path(v, p, d.config.initrd.path); }},
  {"bootloader", [](value_ref v, path_ref p,
                    config_draft& d) { return read_path(v, p, d.config.bootloader.path); }},
  {"params",
   [](value_ref v, path_ref p, config_draft& d) { return read_text(v, p, d.config.params); }},
  {"disks",
   [](value_ref v, path_ref p, config_draft& d) { return read_disks(v, p, d.config.disks); }},
  {"memory_mib",
   [](value_ref v, path_ref p, config_draft& d) {
     return read_whole(v, p, min_memory_mib, max_memory_mib, d.config.memory_mib);
   }},
  {"cpus",
   [](value_ref v, path_ref p, config_draft& d) {
     d.cpus_given = true;
     return read_whole(v, p, 1, max_cpus, d.config.cpus);
   }},
  {"vmm",
   [](value_ref v, path_ref p, config_draft& d) {
     return read_word(v, p, "\"auto\", \"crosvm\" or \"qemu\"", parse_vmm_kind, d.config.vmm);
   }},
  {"accel",
   [](value_ref v, path_ref p, config_draft& d) {
     return read_word(v, p, "\"auto\", \"kvm\" or \"tcg\"", parse_accel_kind, d.config.accel);
   }},
  {"protected",
   [](value_ref v, path_ref p, config_draft& d) { return read_flag(v, p, d.config.protected_vm); }},
  {"guest_protocol", [](value_ref v, path_ref p,
                        config_draft& d) { return read_flag(v, p, d.config.guest_protocol); }},
  {"started_timeout_s",
   [](value_ref v, path_ref p, config_draft& d) {
     return read_whole(v, p, 1, max_started_timeout_s, d.config.started_timeout_s);
   }},
  {"restart",
   [](value_ref v, path_ref p, config_draft& d) {
     return read_word(v, p, "\"never\", \"on_failure\" or \"always\"", parse_restart_policy,
                      d.config.restart);
   }},
  {"hugepages", [](value_ref v, path_ref p,
                   config_draft& d) { return read_flag(v, p, d.config.devices.hugepages); }},
  {"gdb",
   [](value_ref v, path_ref p, config_draft& d) {
     return read_whole(v, p, min_gdb_port, 65535, d.config.devices.gdb_port);
   }},
  {"network", [](value_ref v, path_ref p,
                 config_draft& d) { return read_network(v, p, d.config.devices.network); }},
  {"shared_directories",
   [](value_ref v, path_ref p, config_draft& d) {
     return read_shared_directories(v, p, d.config.devices.shared_directories);
   }},
  {"rng",
   [](value_ref v, path_ref p, config_draft& d) { return read_flag(v, p, d.config.devices.rng); }},
  {"pstore", [](value_ref v, path_ref p,
                config_draft& d) { return read_path(v, p, d.config.devices.pstore.path); }},
  {"crash_files",
   [](value_ref v, path_ref p, config_draft& d) {
     return read_whole(v, p, 0, max_crash_files, d.config.devices.crash_files);
   }},
  {"crash_file_kib",
   [](value_ref v, path_ref p, config_draft& d) {
     return read_whole(v, p, 1, max_crash_file_kib, d.config.devices.crash_file_kib);
   }},
  {"platform_version", read_platform_version},
  {"cpu_topology", read_topology},
  {"devices", read_devices},
  {"usb_config", read_usb},
  {"console_input_device", read_input_device},
  {"num_cpus",
   [](value_ref v, path_ref p, config_draft&) {
     return unsupported(v, p, "not supported; use \"cpus\"");
   },
   false},
  {"cpu_affinity",
   [](value_ref v, path_ref p, config_draft&) {
     return unsupported(v, p, "pinning virtual CPUs is not supported");
   },
   false},
};

/// The byte of the key that a find_problem() sentence begins with, else of the whole document.
std::size_t offset_of(const json_value& document, std::string_view sentence) {
  auto key = sentence.substr(0, sentence.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"));
  const auto* member = document.find(key);
  return member == nullptr ? document.offset : member->key_offset;
}

check read_document(const json_value& document, config_draft& draft) {
  if (auto problem = read_object(document, "", vm_fields, draft))
    return problem;
  if (draft.cpus_given && draft.topology_given) {
    return config_problem{document.find("cpu_topology")->key_offset,
                          "cpu_topology and cpus: give one or the other, not both"};
  }
  // How they are put together says how many there are.
  if (const auto& topology = draft.config.devices.topology; topology && !draft.cpus_given)
    draft.config.cpus = static_cast<std::uint32_t>(topology.cpus());
  if (auto problem = find_problem(draft.config))
    return config_problem{offset_of(document, *problem), printable(*problem, 400)};
  return std::nullopt;
}

} // namespace

result<vm_config> read_vm_config(const json_value& document, const json_source& source) {
  config_draft draft;
  if (auto problem = read_document(document, draft))
    return source.complain(problem->offset, problem->what);
  return std::move(draft.config);
}

result<vm_config> parse_vm_config(std::string_view text, const std::string& file_name) {
  json_source source{text, printable(file_name, 4096)};
  auto document = parse_json(source);
  if (!document)
    return document.why();
  return read_vm_config(*document, source);
}

} // namespace crosvisor::io
