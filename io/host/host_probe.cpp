// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/host/host_probe.hpp"

#include "crosvisor/io/guest/vsock_device.hpp"
#include "crosvisor/io/host/kvm_probe.hpp"
#include "crosvisor/io/host/probe_cache.hpp"
#include "crosvisor/io/host/program_probe.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/io/vmm/disk_server.hpp"

#include <fcntl.h>

#include <algorithm>
#include <fstream>

namespace crosvisor::io {

namespace {

using program_asker = vmm_info (*)(const std::string&, const program_runner&);

/// Runs programs; on threads of its own, since the one that asks waits.
class asker {
public:
  explicit asker(std::chrono::milliseconds timeout) : timeout_(timeout) {}

  program_runner runner(const std::string& path) {
    return [this, path](std::vector<std::string> arguments) {
      short_command command{path, std::move(arguments), timeout_};
      return wait_for_command(loop_, workers_, std::move(command));
    };
  }

private:
  std::chrono::milliseconds timeout_;
  event_loop loop_{"crosvisor-probe"};
  worker_pool workers_{1, "crosvisor-probe"};
};

class host_prober {
public:
  explicit host_prober(const host_probe_options& options)
      : options_(options),
        known_(options.cache_dir.empty() ? probe_findings{} : load_findings(options.cache_dir)),
        asker_(options.timeout) {}

  vmm_info crosvm() {
    program_search search{options_.crosvm, "crosvm", options_.program_dirs,
                          "build it as https://crosvm.dev says, or name its path; Debian has no "
                          "package of it"};
    return vmm(vmm_kind::crosvm, search, probe_crosvm);
  }

  vmm_info qemu() {
#if defined(__x86_64__)
    program_search search{options_.qemu, "qemu-system-x86_64", options_.program_dirs,
                          "install the package qemu-system-x86, or name its path"};
    return vmm(vmm_kind::qemu, search, probe_qemu);
#else
    return {vmm_kind::qemu, {}, {}, {false, "QEMU is used on x86_64 alone; use crosvm"}, {}};
#endif
  }

  capability kvm() {
    if (auto opened = open_kvm(options_.kvm_device); !opened)
      return describe_kvm_failure(opened.why(), options_.kvm_device);
    if (auto known = known_.find_device(options_.kvm_device)) {
      found_.kvm = known_.kvm;
      return *known;
    }
    auto file = identify(options_.kvm_device);
    auto measured = measure_kvm(options_.kvm_device);
    if (!measured)
      return describe_kvm_failure(measured.why(), options_.kvm_device);
    changed_ = true;
    auto verdict = judge_kvm(*measured);
    if (file)
      found_.kvm = {*file, verdict};
    return verdict;
  }

  /// A probe that can't be kept is made again next time; that is all.
  void keep() {
    if (changed_ && !options_.cache_dir.empty())
      static_cast<void>(store_findings(options_.cache_dir, found_));
  }

private:
  vmm_info vmm(vmm_kind kind, const program_search& search, program_asker ask) {
    auto path = find_program(search);
    if (!path)
      return {kind, search.given, {}, {false, path.why().what}, {}};
    auto file = identify(*path);
    auto known = known_.find_program(*path);
    auto vmm = known && known->kind == kind ? *known : ask(*path, asker_.runner(*path));
    changed_ = changed_ || !known;
    if (file && vmm.usable.available)
      found_.programs.push_back({*file, vmm});
    return vmm;
  }

  const host_probe_options& options_;
  probe_findings known_;
  probe_findings found_;
  bool changed_ = false;
  asker asker_;
};

capability probe_vsock(const std::string& device) {
  unique_fd fd{::open(device.c_str(), O_RDWR | O_CLOEXEC)};
  if (fd)
    return {true, {}};
  auto code = errno;
  if (code == ENOENT || code == ENODEV || code == ENXIO)
    return {false, "no " + device + "; load vhost_vsock"};
  if (code == EACCES || code == EPERM)
    return {false, "no permission to open " + device + "; add this user to its group"};
  return {false, last_failure("open " + device).what};
}

/// `detail` is its path where it is available.
capability probe_vsock_device(const std::string& given) {
  auto path = given.empty() ? find_vsock_device() : result<std::string>{given};
  if (!path)
    return {false, path.why().what};
  if (::access(path->c_str(), X_OK) != 0)
    return {false, last_failure(*path).what};
  return {true, *path};
}

/// `detail` is the plugin's path where it is available.
capability probe_disk_server(const host_probe_options& options) {
  auto found = find_disk_server(options.disk_plugin, options.program_dirs);
  return found ? capability{true, found->plugin} : capability{false, found.why().what};
}

/// A hypervisor tells x86 guests so by a processor flag (CPUID 1, ECX bit 31).
bool is_virtual(const std::string& cpuinfo) {
  std::ifstream lines{cpuinfo};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("flags") && mentions(line, "hypervisor"))
      return true;
  return false;
}

std::uint64_t memory_mib() {
  auto pages = ::sysconf(_SC_PHYS_PAGES);
  auto page_bytes = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_bytes <= 0)
    return 0;
  return (static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes)) >> 20;
}

} // namespace

host_info probe_host(const host_probe_options& options) {
  host_prober prober{options};
  host_info host;
  host.kvm = prober.kvm();
  host.vhost_vsock = probe_vsock(options.vsock_device);
  host.vsock_device = probe_vsock_device(options.vsock_program);
  host.disk_server = probe_disk_server(options);
  host.protected_vms = probe_protected_vms(options.kvm_device);
  host.vmms.push_back(prober.crosvm());
  host.vmms.push_back(prober.qemu());
  prober.keep();
  host.nested = is_virtual(options.cpuinfo);
  host.memory_mib = memory_mib();
  host.cpus = static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  return host;
}

} // namespace crosvisor::io
