// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/expand_app.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/memory_file.hpp"
#include "crosvisor/io/payload/app_payload.hpp"
#include "crosvisor/io/payload/metadata.hpp"
#include "crosvisor/io/payload/os_files.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::io {

namespace {

partition_config read_only(const std::string& label, file_ref image) {
  return {label, std::move(image), image_format::raw, false, {}};
}

partition_config writable(const std::string& label, file_ref image) {
  return {label, std::move(image), image_format::raw, true, {}};
}

std::vector<wanted_apex> wishes(const app_config& app, const payload_config& payload) {
  std::vector<wanted_apex> wanted;
  for (std::size_t i = 0; i < payload.apexes.size(); ++i)
    wanted.push_back({payload.apexes[i], named("app.apk", app.apk.path) + ": " + app.config_path
                                           + ": apexes[" + std::to_string(i) + "].name"});
  return wanted;
}

/// The operating system's configuration with what the client asks of its VM.
vm_config combine(vm_config os, const vm_config& asked) {
  os.name = asked.name;
  if (!asked.params.empty())
    os.params += (os.params.empty() ? "" : " ") + asked.params;
  if (asked.memory_mib > 0)
    os.memory_mib = asked.memory_mib;
  os.devices = asked.devices;
  os.cpus = asked.devices.topology ? asked.cpus : std::max(os.cpus, asked.cpus);
  os.protected_vm = os.protected_vm || asked.protected_vm;
  if (asked.vmm != vmm_kind::automatic)
    os.vmm = asked.vmm;
  if (asked.accel != accel_kind::automatic)
    os.accel = asked.accel;
  os.console = asked.console;
  os.log = asked.log;
  if (asked.started_timeout_s > 0)
    os.started_timeout_s = asked.started_timeout_s;
  os.restart = asked.restart;
  return os;
}

/// What one app's disks are made of.
class app_disks {
public:
  app_disks(const os_definition& os, const app_config& app, descriptor_set& files)
      : os_(os), app_(app), files_(files) {}

  /// Adds the app's writable partitions to the disk that has the role, or to a new one.
  result<void> add_instance(std::vector<disk_config>& disks) {
    auto& disk = os_.instance_disk ? disks[*os_.instance_disk] : disks.emplace_back();
    disk.writable = true;
    if (app_.debug == debug_level::full && !os_.debug.bootconfig.empty()) {
      auto file = open_os_file(os_, "debug.bootconfig", os_.debug.bootconfig, files_);
      if (!file)
        return file.why();
      disk.partitions.push_back(read_only("bootconfig", std::move(*file)));
    }
    disk.partitions.push_back(writable("vm-instance", app_.instance));
    if (app_.encrypted_storage)
      disk.partitions.push_back(writable("encryptedstore", app_.encrypted_storage));
    return {};
  }

  /// Adds the payload disk.
  result<void> add_payload(const std::vector<opened_apex>& apexes,
                           std::vector<disk_config>& disks) {
    disk_config disk;
    auto metadata = make_metadata(apexes);
    if (!metadata)
      return metadata.why();
    disk.partitions.push_back(read_only(metadata_label, std::move(*metadata)));
    for (std::size_t i = 0; i < apexes.size(); ++i)
      disk.partitions.push_back(read_only(apex_label(i), apexes[i].file));
    disk.partitions.push_back(read_only(apk_label, app_.apk));
    disk.partitions.push_back(read_only(apk_idsig_label, app_.idsig));
    for (std::size_t i = 0; i < app_.extra_apks.size(); ++i) {
      auto number = std::to_string(i);
      disk.partitions.push_back(read_only("extra-apk-" + number, app_.extra_apks[i].apk));
      disk.partitions.push_back(read_only("extra-idsig-" + number, app_.extra_apks[i].idsig));
    }
    disks.push_back(std::move(disk));
    return {};
  }

private:
  static std::string apex_label(std::size_t i) { return "microdroid-apex-" + std::to_string(i); }

  result<file_ref> make_metadata(const std::vector<opened_apex>& apexes) {
    payload_metadata metadata;
    for (std::size_t i = 0; i < apexes.size(); ++i) {
      const auto& info = apexes[i].info;
      metadata.apexes.push_back({info.name, apex_label(i), info.last_update_seconds, info.factory});
    }
    if (!app_.config_path.empty())
      metadata.config_path = apk_mount_point + app_.config_path;
    metadata.payload_binary = app_.payload_binary;
    metadata.extra_apk_count = static_cast<std::uint32_t>(app_.extra_apks.size());
    auto file = make_memory_file(metadata_label, serialize(metadata));
    if (!file)
      return file.why();
    return file_ref{metadata_label, files_.add(std::move(*file))};
  }

  const os_definition& os_;
  const app_config& app_;
  descriptor_set& files_;
};

/// The operating system's VM with the app's disks.
result<vm_config> assemble(const vm_config& asked, const payload_config& payload,
                           const os_definition& os, descriptor_set& files) {
  const auto& app = asked.app;
  auto opened = open_os_files(os, app.debug, files);
  if (!opened)
    return opened.why();
  auto config = combine(std::move(*opened), asked);
  auto apexes = open_apexes(os, wishes(app, payload), app.debug, files);
  if (!apexes)
    return apexes.why();
  app_disks disks{os, app, files};
  if (auto ok = disks.add_instance(config.disks); !ok)
    return ok.why();
  if (auto ok = disks.add_payload(*apexes, config.disks); !ok)
    return ok.why();
  return config;
}

} // namespace

result<vm_config> expand_app(const vm_config& config, descriptor_set& files,
                             const std::string& os_folder, const job_control& control) {
  if (auto problem = find_problem(config))
    return failure{0, *problem};
  if (!config.app)
    return failure{0, "app: missing"};
  auto payload = read_app_payload(config.app, files);
  if (!payload)
    return payload.why();
  if (control.cancelled())
    return job_control::stopped();
  auto os = load_os_definition(os_folder, config.app.os);
  if (!os)
    return failure{os.why().code, "app.os: " + os.why().what};
  auto expanded = assemble(config, *payload, *os, files);
  if (!expanded)
    return expanded.why();
  if (auto problem = find_problem(*expanded))
    return failure{0, "app, run by " + printable(os->file, 4096) + ": " + *problem};
  if (control.cancelled())
    return job_control::stopped();
  return expanded;
}

} // namespace crosvisor::io
