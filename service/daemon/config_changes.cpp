// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_config.hpp"

#include <tuple>

namespace crosvisor {

namespace {

auto listen_of(const daemon_config& config) {
  return config.tls ? std::tuple{config.tls->address, config.tls->port}
                    : std::tuple{std::string{}, std::uint16_t{0}};
}

auto limits_of(const daemon_config& config) {
  const auto& limits = config.limits;
  return std::tuple{limits.message_bytes,    limits.unread_bytes, limits.connections_per_principal,
                    limits.connections,      limits.handshake,    limits.silence,
                    config.vms_per_principal};
}

auto programs_of(const daemon_config& config) {
  return std::tie(config.crosvm, config.qemu, config.vsock_device, config.disk_plugin,
                  config.os_folder, config.keeper);
}

auto autostart_of(const daemon_config& config) {
  std::vector<
    std::tuple<std::string, vm_name, std::optional<std::uint32_t>, std::optional<restart_policy>>>
    all;
  for (const auto& vm : config.autostart)
    all.emplace_back(vm.config, vm.name, vm.owner_uid, vm.restart);
  return all;
}

} // namespace

std::vector<std::string> changes_for_restart(const daemon_config& now, const daemon_config& next) {
  std::vector<std::string> changed;
  auto compare = [&](const char* key, const auto& before, const auto& after) {
    if (before != after)
      changed.emplace_back(key);
  };
  compare("socket", std::tie(now.socket, now.socket_gid, now.socket_mode),
          std::tie(next.socket, next.socket_gid, next.socket_mode));
  compare("tls.listen", listen_of(now), listen_of(next));
  compare("cids", std::tie(now.cids.first, now.cids.last),
          std::tie(next.cids.first, next.cids.last));
  compare("limits", limits_of(now), limits_of(next));
  compare("references", now.reference_grace, next.reference_grace);
  compare("stop.grace_s", now.stop_grace, next.stop_grace);
  compare("images", now.image_workers, next.image_workers);
  compare("programs", programs_of(now), programs_of(next));
  compare("vmm", std::tie(now.first_vmm_uid, now.vmm_cgroup),
          std::tie(next.first_vmm_uid, next.vmm_cgroup));
  compare("autostart", autostart_of(now), autostart_of(next));
  return changed;
}

} // namespace crosvisor
