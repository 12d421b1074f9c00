// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_config.hpp"

#include <tuple>

namespace crosvisor {

namespace {

auto listen_of(const daemon_config& config) {
  return config.tls ? std::tuple{config.tls->address, config.tls->port}
                    : std::tuple{std::string{}, std::uint16_t{0}};
}

auto peers_of(const transport::peer_limits& x) {
  return std::tie(x.message_bytes, x.unread_bytes, x.connections_per_principal, x.connections,
                  x.handshake, x.silence);
}

auto door_of(const door_bounds& x) {
  return std::tie(x.vms, x.vms_per_user, x.requests, x.requests_per_user, x.subscriptions,
                  x.subscriptions_per_user, x.images, x.images_per_user, x.references_per_user,
                  x.subscribers_per_vm, x.output_readers_per_vm, x.connects_per_vm, x.users_per_vm,
                  x.passes_per_vm, x.events_kept);
}

auto limits_of(const service_bounds& x) {
  return std::tuple_cat(peers_of(x.peers), door_of(x.door),
                        std::tie(x.tickets.in_all, x.tickets.per_uid, x.output_bytes));
}

auto logs_of(const log_limits& x) {
  return std::tie(x.each.file_bytes, x.each.files, x.vms);
}

auto restarts_of(const restart_limits& x) {
  return std::tie(x.most, x.window);
}

auto images_of(const daemon_config& config) {
  const auto& x = config.bounds.images;
  return std::tie(config.image_workers, x.per_user, x.in_all, x.bytes_per_user, x.bytes,
                  x.uploads_per_user, x.upload_age);
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
  compare("limits", limits_of(now.bounds), limits_of(next.bounds));
  compare("logs", logs_of(now.bounds.logs), logs_of(next.bounds.logs));
  compare("restarts", restarts_of(now.bounds.restarts), restarts_of(next.bounds.restarts));
  compare("references", now.reference_grace, next.reference_grace);
  compare("stop.grace_s", now.stop_grace, next.stop_grace);
  compare("images", images_of(now), images_of(next));
  compare("programs", programs_of(now), programs_of(next));
  compare("vmm", std::tie(now.first_vmm_uid, now.vmm_cgroup),
          std::tie(next.first_vmm_uid, next.vmm_cgroup));
  compare("autostart", autostart_of(now), autostart_of(next));
  return changed;
}

} // namespace crosvisor
