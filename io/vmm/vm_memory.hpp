// SPDX-License-Identifier: Apache-2.0
// Guest memory that is not just any of the host's.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <cstdint>
#include <string>

namespace crosvisor::io {

/// Whether the host has huge pages for so much memory: QEMU takes pages that the host's operator
/// has set apart (vm.nr_hugepages), crosvm those that the kernel puts together by itself, where it
/// does that for shared memory. Others may have them by the time when they are taken.
/// @param mm /sys/kernel/mm
/// @param meminfo /proc/meminfo
result<void> check_hugepages(vmm_kind vmm, std::uint32_t memory_mib,
                             const std::string& mm = "/sys/kernel/mm",
                             const std::string& meminfo = "/proc/meminfo");

/// Memory that survives the guest's crash, while its VM runs. The VMM opens it by path as its own
/// user, which a client's file need not be open to; so it has a copy in memory, and what is in that
/// when the VM has ended goes back to the file.
class pstore_memory {
public:
  /// Reads all of `file`, which is borrowed; blocks as long as reading does.
  static result<pstore_memory> copy(int file);

  pstore_memory() = default;

  explicit operator bool() const noexcept { return static_cast<bool>(memory_); }
  int fd() const noexcept { return memory_.get(); }
  std::uint64_t size_bytes() const noexcept { return size_bytes_; }

  /// Writes it back. Blocks as long as writing does.
  result<void> write_back() const;

private:
  unique_fd memory_;
  unique_fd file_;
  std::uint64_t size_bytes_ = 0;
};

} // namespace crosvisor::io
