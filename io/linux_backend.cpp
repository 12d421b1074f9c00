// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/linux_backend.hpp"

#include "crosvisor/io/file_cid_store.hpp"
#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/io/guest/linux_guest_streams.hpp"
#include "crosvisor/io/host/host_probe.hpp"
#include "crosvisor/io/host/installed_file.hpp"
#include "crosvisor/io/keeper/keeper_launcher.hpp"
#include "crosvisor/io/linux_image_builder.hpp"
#include "crosvisor/io/linux_vmm_launcher.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/standard_streams.hpp"
#include "crosvisor/io/vhost_cid_claimer.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::io {

namespace {

void raise_descriptor_limit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    log::warn("service keeps its limit of open files: {}", std::strerror(errno));
}

host_info probe(const linux_backend_options& options) {
  host_probe_options probe;
  probe.crosvm = options.crosvm_path;
  probe.qemu = options.qemu_path;
  probe.vsock_program = options.vsock_device_path;
  probe.disk_plugin = options.disk_plugin_path;
  probe.cache_dir = options.state_dir;
  return probe_host(probe);
}

bool usable(const vmm_info* vmm) {
  return vmm != nullptr && vmm->usable.available;
}

vmm_drivers make_drivers(const host_info& host) {
  vmm_drivers drivers;
  if (auto* crosvm = host.find(vmm_kind::crosvm); usable(crosvm))
    drivers.crosvm = make_crosvm_driver(*crosvm);
  if (auto* qemu = host.find(vmm_kind::qemu); usable(qemu))
    drivers.qemu = make_qemu_driver(*qemu);
  return drivers;
}

disk_server_programs disk_server(const host_info& host) {
  if (!host.disk_server.available)
    return {};
  auto found = find_disk_server(host.disk_server.detail, host_probe_options{}.program_dirs);
  return found ? *found : disk_server_programs{};
}

/// Also where there is none: apps are then refused by that name.
std::string os_folder(const linux_backend_options& options) {
  if (!options.os_folder.empty())
    return options.os_folder;
  auto installed = find_installed_file("os", CROSVISOR_DATADIR "/crosvisor", file_use::read);
  return installed ? *installed : CROSVISOR_FULL_DATADIR "/crosvisor/os";
}

/// What VMs' users must reach.
struct confined_files {
  std::vector<std::string> programs;
  std::vector<std::string> plugins;
};

confined_files files_of(const host_info& host, const disk_server_programs& disk_server) {
  confined_files files;
  for (const auto& vmm : host.vmms)
    if (vmm.usable.available)
      files.programs.push_back(vmm.path);
  if (host.vsock_device.available)
    files.programs.push_back(host.vsock_device.detail);
  if (disk_server) {
    files.programs.push_back(disk_server.nbdkit);
    files.plugins.push_back(disk_server.plugin);
  }
  return files;
}

result<std::shared_ptr<event_loop>> make_guest_loop() {
  try {
    return make_shared_loop("crosvisor-guest");
  } catch (const std::exception& error) { // No descriptor or no thread.
    return failure{EAGAIN, std::string{"event loop: "} + error.what()};
  }
}

result<void> add_launcher(backend& made, const vmm_launcher_options& launching,
                          std::shared_ptr<event_loop> guests) {
  auto launcher = make_linux_vmm_launcher(launching, make_drivers(made.host));
  if (!launcher)
    return launcher.why();
  made.launcher = std::move(*launcher);
  made.streams = make_linux_guest_streams(std::move(guests), {launching.kept_output_bytes});
  return {};
}

/// Says of some CIDs that another program has them.
class cid_claimer_without final : public cid_claimer {
public:
  cid_claimer_without(std::shared_ptr<cid_claimer> all, std::set<vm_cid> taken)
      : all_(std::move(all)), taken_(std::move(taken)) {}

  result<claim> claim_cid(vm_cid cid) override {
    return taken_.count(cid) > 0 ? claim{true, nullptr} : all_->claim_cid(cid);
  }

private:
  const std::shared_ptr<cid_claimer> all_;
  const std::set<vm_cid> taken_;
};

result<void> add_keepers(backend& made, const linux_backend_options& options,
                         const vmm_launcher_options& launching, confined_files files) {
  keeper_launcher_options keeping;
  keeping.program = options.keeper_path;
  if (keeping.program.empty()) {
    auto found = find_keeper_program();
    if (!found)
      return found.why();
    keeping.program = std::move(*found);
  }
  keeping.folder = options.keepers_folder;
  keeping.how = launching;
  // As it was found possible, once for all of them.
  keeping.confinement = options.confinement;
  keeping.confinement.users = launching.confinement.users();
  keeping.programs = std::move(files.programs);
  keeping.plugins = std::move(files.plugins);
  keeping.vmms = made.host.vmms;
  auto keepers = make_keeper_backend(keeping);
  if (!keepers)
    return keepers.why();
  made.launcher = std::move(keepers->launcher);
  made.streams = std::move(keepers->streams);
  made.kept = std::move(keepers->kept);
  if (!keepers->unusable.empty())
    made.cids = std::make_shared<cid_claimer_without>(made.cids, std::move(keepers->unusable));
  return {};
}

} // namespace

result<backend> make_linux_backend(const linux_backend_options& options) {
  fill_standard_streams();
  if (options.raise_descriptor_limit)
    raise_descriptor_limit();
  // First, since it makes the state directory, where the probe keeps what it finds.
  auto last_cid = open_file_cid_store(options.state_dir);
  if (!last_cid)
    return last_cid.why();
  backend made;
  made.host = probe(options);
  auto guests = make_guest_loop();
  if (!guests)
    return guests.why();
  // Without /dev/vhost-vsock no guest can reach what is listened to in the kernel.
  auto door = std::make_shared<guest_door>(
    *guests, made.host.vhost_vsock.available ? kernel_vsock_calls() : vsock_calls{});
  vmm_launcher_options launching;
  launching.door = door;
  launching.vsock_program = made.host.vsock_device.available ? made.host.vsock_device.detail : "";
  launching.disk_server = disk_server(made.host);
  launching.runtime_root = options.runtime_root;
  launching.state_dir = options.state_dir;
  launching.logs = options.logs;
  launching.kept_logs = options.kept_logs;
  launching.log_use = options.log_use;
  launching.kept_output_bytes = options.kept_output_bytes;
  launching.workers = options.workers;
  auto files = files_of(made.host, launching.disk_server);
  auto confinement = vmm_confinement::make(options.confinement, files.programs, files.plugins);
  if (!confinement)
    return confinement.why();
  launching.confinement = std::move(*confinement);
  made.images = make_linux_image_builder(made.host, os_folder(options));
  made.cids = make_vhost_cid_claimer();
  made.last_cid = std::move(*last_cid);
  made.vsock = std::move(door);
  auto launcher = options.keepers_folder.empty()
                    ? add_launcher(made, launching, std::move(*guests))
                    : add_keepers(made, options, launching, std::move(files));
  if (!launcher)
    return launcher.why();
  return made;
}

} // namespace crosvisor::io
