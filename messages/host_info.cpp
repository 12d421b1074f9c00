// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/host_info.hpp"

#include <algorithm>

namespace crosvisor {

namespace {

bool usable(const vmm_info* vmm) {
  return vmm != nullptr && vmm->usable.available;
}

std::string why_not(const vmm_info* vmm, vmm_kind kind) {
  return vmm == nullptr ? to_string(kind) + " is unknown to this host" : vmm->usable.detail;
}

/// An app's disks become such.
bool has_partitions(const vm_config& config) {
  return config.app || std::any_of(config.disks.begin(), config.disks.end(), [](const auto& disk) {
           return !disk.partitions.empty();
         });
}

/// What crosvm has no option for, or none that is fit to be used.
std::optional<std::string> crosvm_device_problem(const device_config& devices) {
  if (devices.gdb_port != 0)
    return "gdb: crosvm would open the port to all addresses; use vmm \"qemu\"";
  if (!devices.shared_directories.empty())
    return "shared_directories: crosvm can't have them here: its own server would have the rights "
           "of the VM's user; use vmm \"qemu\"";
  return std::nullopt;
}

/// crosvm has no emulation: it is no choice without KVM, nor when TCG is asked for.
std::variant<vmm_choice, refusal> choose_crosvm(const vm_config& config, const host_info& host) {
  if (config.accel == accel_kind::tcg)
    return refusal{true, "accel: crosvm has no tcg; use vmm \"qemu\" or accel \"kvm\""};
  if (auto problem = crosvm_device_problem(config.devices))
    return refusal{true, std::move(*problem)};
  const auto* crosvm = host.find(vmm_kind::crosvm);
  if (!usable(crosvm))
    return refusal{false, "vmm: " + why_not(crosvm, vmm_kind::crosvm)};
  if (has_partitions(config) && !crosvm->has("composite-disk"))
    return refusal{false, "disks: " + crosvm->path
                            + " can't have disks of partitions; build crosvm with the features "
                              "composite-disk and android-sparse, or use vmm \"qemu\""};
  if (!host.kvm.available)
    return refusal{false, "vmm: crosvm needs KVM: " + host.kvm.detail};
  return vmm_choice{vmm_kind::crosvm, accel_kind::kvm, host.nested};
}

std::variant<vmm_choice, refusal> choose_qemu(const vm_config& config, const host_info& host) {
  if (config.protected_vm)
    return refusal{true, "protected: QEMU can't run protected VMs; never started unprotected"};
  if (const auto* qemu = host.find(vmm_kind::qemu); !usable(qemu))
    return refusal{false, "vmm: " + why_not(qemu, vmm_kind::qemu)};
  if (has_partitions(config) && !host.disk_server.available)
    return refusal{false,
                   "disks: QEMU has no server for disks of partitions: " + host.disk_server.detail};
  if (config.accel == accel_kind::kvm && !host.kvm.available)
    return refusal{false, "accel: no KVM: " + host.kvm.detail};
  if (config.accel == accel_kind::tcg || !host.kvm.available)
    return vmm_choice{vmm_kind::qemu, accel_kind::tcg, false};
  return vmm_choice{vmm_kind::qemu, accel_kind::kvm, host.nested};
}

} // namespace

bool vmm_info::has(const std::string& feature) const {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

const vmm_info* host_info::find(vmm_kind kind) const {
  auto i =
    std::find_if(vmms.begin(), vmms.end(), [&](const auto& vmm) { return vmm.kind == kind; });
  return i == vmms.end() ? nullptr : &*i;
}

std::variant<vmm_choice, refusal> choose_vmm(const vm_config& config, const host_info& host) {
  if (host.memory_mib != 0 && config.memory_mib > host.memory_mib)
    return refusal{true, "memory_mib: " + std::to_string(config.memory_mib)
                           + " is more than the host's " + std::to_string(host.memory_mib)};
  if (config.protected_vm && !host.protected_vms.available)
    return refusal{true, "protected: this host can't: " + host.protected_vms.detail};
  // How an app fares comes by vsock, so it needs what a guest needs that speaks the protocol.
  if ((config.guest_protocol || config.app) && !host.vhost_vsock.available
      && !host.vsock_device.available)
    return refusal{true, std::string{config.app ? "app" : "guest_protocol"}
                           + ": guests have no vsock on this host: " + host.vhost_vsock.detail
                           + "; " + host.vsock_device.detail};
  switch (config.vmm) {
    case vmm_kind::crosvm: return choose_crosvm(config, host);
    case vmm_kind::qemu: return choose_qemu(config, host);
    case vmm_kind::automatic: break;
  }
  auto choice = choose_crosvm(config, host);
  if (std::holds_alternative<vmm_choice>(choice) || config.protected_vm)
    return choice;
  return choose_qemu(config, host);
}

} // namespace crosvisor
