// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/host/kvm_probe.hpp"

#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

namespace crosvisor::io {

namespace {

/// Between what was measured of processors (hundreds of millions a second, also where KVM is nested
/// and each exit is slow) and what KVM's interpreter does (a few millions).
constexpr double slowest_processor = 20e6; // instructions a second

std::string millions(double per_second) {
  return std::to_string(static_cast<std::uint64_t>(per_second / 1e6)) + " million";
}

} // namespace

capability judge_kvm(const kvm_measurement& measured) {
  auto seconds = std::chrono::duration<double>{measured.elapsed}.count();
  if (seconds <= 0)
    return {false, "KVM could not be measured"};
  auto rate = static_cast<double>(measured.instructions) / seconds;
  if (rate < slowest_processor)
    return {false, "KVM here interprets guests instead of running them (" + millions(rate)
                     + " instructions a second); guests need a host whose processor runs them"};
  return {true, "a guest ran " + millions(rate) + " instructions a second"};
}

capability describe_kvm_failure(const failure& why, const std::string& device) {
  switch (why.code) {
    case ENOENT:
      return {false, "no " + device + "; load kvm_intel or kvm_amd, and turn virtualization on in "
                       + "the firmware or, in a VM, nested virtualization in its host"};
    case ENODEV:
    case ENXIO: return {false, device + " has no driver behind it; load kvm_intel or kvm_amd"};
    case EACCES:
    case EPERM:
      return {false, "no permission to open " + device + "; add this user to its group (kvm)"};
    default: return {false, "KVM does not work: " + why.what};
  }
}

result<void> open_kvm(const std::string& device) {
  unique_fd kvm{::open(device.c_str(), O_RDWR | O_CLOEXEC)};
  if (!kvm)
    return last_failure("open " + device);
  return {};
}

capability probe_protected_vms(const std::string& device) {
#if defined(__aarch64__)
  // KVM_CAP_ARM_PROTECTED_VM of Android's kernels, as crosvm asks for it (kvm_sys/src/lib.rs).
  constexpr unsigned long cap_arm_protected_vm = 0xffbadab1;
  unique_fd kvm{::open(device.c_str(), O_RDWR | O_CLOEXEC)};
  if (!kvm)
    return describe_kvm_failure(last_failure("open " + device), device);
  if (::ioctl(kvm.get(), KVM_CHECK_EXTENSION, cap_arm_protected_vm) == 1)
    return {true, "pKVM"};
#else
  static_cast<void>(device);
#endif
  return {false, "no pKVM on this host"};
}

} // namespace crosvisor::io
