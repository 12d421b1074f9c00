// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/service_host.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/linux_backend.hpp"
#include "crosvisor/service/shared_cids.hpp"

#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace crosvisor {

namespace {

/// The first uid of VMs' users, as the environment has it; 0: they have none.
io::result<std::uint32_t> first_vmm_uid() {
  const auto* text = std::getenv("CROSVISOR_VMM_UID");
  if (text == nullptr)
    return io::vmm_user_range{}.first_uid;
  std::uint32_t uid = 0;
  auto end = text + std::strlen(text);
  if (auto [at, why] = std::from_chars(text, end, uid); why != std::errc{} || at != end)
    return io::failure{0, "CROSVISOR_VMM_UID: " + io::in_quotes(text)
                            + " is no number from 0 to 4294967295"};
  return uid;
}

io::result<io::confinement_options>
confinement(const std::optional<io::confinement_options>& wanted) {
  if (wanted)
    return *wanted;
  io::confinement_options result;
  if (::geteuid() != 0)
    return result;
  auto first = first_vmm_uid();
  if (!first)
    return first.why();
  result.users = io::vmm_user_range{*first};
  result.optional = true;
  return result;
}

io::linux_backend_options backend_options(const embedded_service_options& options,
                                          const process_dir& dir) {
  io::linux_backend_options result;
  result.runtime_root = dir.path();
  result.state_dir = options.where.state;
  result.crosvm_path = options.crosvm;
  result.qemu_path = options.qemu;
  result.vsock_device_path = options.vsock_device;
  result.disk_plugin_path = options.disk_plugin;
  result.os_folder = options.os_folder;
  result.logs = options.logs.each;
  result.kept_logs = options.logs.vms;
  result.log_use = options.log_use;
  result.kept_output_bytes = options.output_bytes;
  if (options.keepers)
    result.keepers_folder = options.where.runtime + "/keepers";
  result.keeper_path = options.keeper;
  return result;
}

} // namespace

io::result<embedded_service_options> find_service_options(const environment& variables, uid_t uid) {
  auto where = find_directories(variables, uid);
  if (!where)
    return where.why();
  auto path = [&](const char* variable) { return variables(variable).value_or(""); };
  return embedded_service_options{*where,
                                  path("CROSVISOR_CROSVM"),
                                  path("CROSVISOR_QEMU"),
                                  path("CROSVISOR_VSOCK"),
                                  path("CROSVISOR_NBDKIT_PLUGIN"),
                                  path("CROSVISOR_OS_DIR")};
}

io::result<std::unique_ptr<service_host>> service_host::make(embedded_service_options options) {
  if (auto made = make_folders(options.where.state); !made)
    return made.why();
  auto dir = process_dir::make(options.where.runtime);
  if (!dir)
    return dir.why();
  auto confined = confinement(options.confinement);
  if (!confined)
    return confined.why();
  auto how = backend_options(options, *dir);
  how.confinement = std::move(*confined);
  auto host = io::make_linux_backend(how);
  if (!host)
    return host.why();
  auto cids = shared_cids::make(dir->parent(), std::move(host->cids),
                                options.keepers ? std::string{} : options.where.state);
  if (!cids) {
    host->launcher->leave(); // Those that were found may be the next one's.
    return cids.why();
  }
  host->cids = std::move(*cids);
  if (options.histories)
    options.service.histories = options.histories(host->kept);
  return std::make_unique<service_host>(std::move(*dir), std::move(*host), std::move(options));
}

service_host::service_host(process_dir dir, io::backend host, embedded_service_options options)
    : dir_(std::move(dir)), backend_(std::move(host)), options_(std::move(options)) {}

service_actor spawn_service(caf::actor_system& system, service_host& host) {
  auto service = spawn_service(system, host.backend(), host.options().service);
  // Their CIDs' claims are the service's alone from now on, and end when it lets go of them.
  host.forget_kept();
  return service;
}

} // namespace crosvisor
