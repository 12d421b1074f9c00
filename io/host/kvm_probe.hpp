// SPDX-License-Identifier: Apache-2.0
// Whether a guest really runs on this host's KVM.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/host_info.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace crosvisor::io {

/// How long a guest is run to measure its speed.
inline constexpr std::chrono::milliseconds kvm_measure_time{100};

/// What a measured guest did.
struct kvm_measurement {
  std::uint64_t instructions = 0;
  std::chrono::nanoseconds elapsed{0};
};

/// Whether that is a processor's speed. Some hosts have a KVM that can't run an ordinary guest on
/// the processor and interprets it instead, hundreds of times slower, until it meets an instruction
/// that it doesn't know; `/dev/kvm` alone proves nothing. Pure.
capability judge_kvm(const kvm_measurement& measured);

/// Why KVM can't be used, from the failure of opening or using `device`. Pure.
capability describe_kvm_failure(const failure& why, const std::string& device);

/// Runs a loop of a few instructions in a VM of its own for kvm_measure_time, and counts. Blocks
/// that long, and on a thread of its own, so that no signal of the caller's is touched.
result<kvm_measurement> measure_kvm(const std::string& device);

/// Opens `device` for reading and writing, which is what using it needs, and no more.
result<void> open_kvm(const std::string& device);

/// Whether this host can run protected VMs (pKVM), which on x86_64 none can.
capability probe_protected_vms(const std::string& device);

} // namespace crosvisor::io
