// SPDX-License-Identifier: Apache-2.0
// What this host can do, and why not what it can't. Knows no CAF type.
#pragma once

#include "crosvisor/messages/vm_config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace crosvisor {

/// One thing that a host has or lacks.
struct capability {
  bool available = false;
  /// Why it is missing, or what there is to know of it; one sentence.
  std::string detail;
};

/// A VMM's program, as probed.
struct vmm_info {
  vmm_kind kind = vmm_kind::qemu;
  /// Absolute path of the program; empty when none was found.
  std::string path;
  /// What it prints as its version, one line.
  std::string version;
  /// Whether VMs can be started with it, and if not, why.
  capability usable;
  /// Words such as `extended-status`, `composite-disk`, `legacy-command-line`, in stable order.
  std::vector<std::string> features;

  bool has(const std::string& feature) const;
};

/// A port of the host's, as guests find it.
struct vsock_port {
  std::uint32_t port = 0;
  /// Whether it is served, and if not, why.
  capability served;
};

struct host_info {
  capability kvm;         ///< A guest really runs on KVM, not merely that /dev/kvm is there.
  capability vhost_vsock; ///< /dev/vhost-vsock can be opened.
  /// crosvisor-vsock, which gives guests vsock where the kernel has none for them, can be run;
  /// `detail` is then its path.
  capability vsock_device;
  /// nbdkit and its plugin `composite`, without which QEMU can have no disks of partitions;
  /// `detail` is then the plugin's path.
  capability disk_server;
  /// The host ports that guests may connect to.
  std::vector<vsock_port> vsock_ports;
  capability protected_vms;
  /// crosvm first, then QEMU; one entry each, found or not.
  std::vector<vmm_info> vmms;
  /// The host is a VM itself: guests on its KVM are slow.
  bool nested = false;
  std::uint64_t memory_mib = 0; ///< The host's memory.
  std::uint32_t cpus = 0;       ///< The host's processors.

  const vmm_info* find(vmm_kind kind) const;
};

/// What a VM will be run with; neither value is `automatic`.
struct vmm_choice {
  vmm_kind vmm = vmm_kind::qemu;
  accel_kind accel = accel_kind::tcg;
  /// KVM inside a VM.
  bool nested = false;
};

/// Why a host can't run a configuration.
struct refusal {
  /// The configuration asks for what no host setting can change here (`protected`, too much
  /// memory), as against a VMM that is missing and could be installed.
  bool config_at_fault = false;
  std::string why;
};

/// Chooses for `config` from what `host` has: crosvm where it works, else QEMU; KVM where it works,
/// else TCG. What `config` states is kept or refused, never replaced; `protected`, `guest_protocol`
/// and disks of partitions are refused where the host can't give them.
std::variant<vmm_choice, refusal> choose_vmm(const vm_config& config, const host_info& host);

template <class Inspector>
auto inspect(Inspector& f, vmm_choice& x) {
  return f(x.vmm, x.accel, x.nested);
}

template <class Inspector>
auto inspect(Inspector& f, capability& x) {
  return f(x.available, x.detail);
}

template <class Inspector>
auto inspect(Inspector& f, vmm_info& x) {
  return f(x.kind, x.path, x.version, x.usable, x.features);
}

template <class Inspector>
auto inspect(Inspector& f, vsock_port& x) {
  return f(x.port, x.served);
}

template <class Inspector>
auto inspect(Inspector& f, host_info& x) {
  return f(x.kvm, x.vhost_vsock, x.vsock_device, x.disk_server, x.vsock_ports, x.protected_vms,
           x.vmms, x.nested, x.memory_mib, x.cpus);
}

} // namespace crosvisor
