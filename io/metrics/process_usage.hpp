// SPDX-License-Identifier: Apache-2.0
// What a process has of the host: proc(5).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

struct process_usage {
  std::string name; ///< As the kernel has it: 15 bytes at most.
  pid_t parent = 0;
  double cpu_seconds = 0; ///< In user space and in the kernel, since its start.
  std::uint64_t resident_bytes = 0;
  std::uint64_t threads = 0;
  double started_seconds = 0; ///< After the host's boot.
};

/// Nothing: it is gone, or may not be read. Waits for no disk.
std::optional<process_usage> read_process_usage(pid_t pid);

/// What /proc/PID/stat holds, with `ticks` a second and pages of so many bytes; nothing: it is
/// none.
std::optional<process_usage> parse_process_stat(std::string_view text, long ticks, long page_bytes);

/// The processes that this one has started and that are there still; empty: none, or the kernel
/// does not say.
std::vector<pid_t> children_of(pid_t pid);

/// How many descriptors this process has open.
std::uint64_t count_own_descriptors();

/// When the host was booted: seconds since 1970-01-01 UTC; nothing: not known.
std::optional<double> boot_time_seconds();

} // namespace crosvisor::io
