// SPDX-License-Identifier: Apache-2.0
// The guest's memory as the VMM shares it: SET_MEM_TABLE of vhost-user.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace crosvisor::io::vsock {

/// One region as the message describes it, in bytes.
struct memory_region {
  std::uint64_t guest_address = 0;
  std::uint64_t size = 0;
  std::uint64_t vmm_address = 0; ///< In the VMM's own address space; ring addresses are given so.
  std::uint64_t file_offset = 0;
};

/// The most regions of one message.
inline constexpr std::size_t max_regions = 32;

/// Maps the regions as long as it lives. Movable; pointers stay good over a move.
class memory_table {
public:
  memory_table() = default;
  memory_table(memory_table&&) noexcept = default;
  memory_table& operator=(memory_table&&) noexcept = default;

  /// Checks and maps. Each file must be sealed against shrinking, since a page that has gone is a
  /// SIGBUS; must reach over its region; guest addresses must not overlap.
  /// @param files one for each region; the caller may close them afterwards.
  static result<memory_table> map(std::span<const memory_region> regions,
                                  std::span<const unique_fd> files);

  /// Host memory for `size` bytes at the VMM's `address`, whole within one region; else nullptr.
  std::byte* at_vmm_address(std::uint64_t address, std::uint64_t size) const noexcept;

  /// Appends the host memory of `size` bytes at guest-physical `address`: several pieces where
  /// regions meet. False, with pieces left over, if a part of it is in no region.
  bool at_guest_address(std::uint64_t address, std::uint64_t size,
                        std::vector<iovec>& pieces) const;

private:
  // One mapping; unmaps.
  class mapping {
  public:
    mapping(const memory_region& region, std::byte* base) : region_(region), base_(base) {}
    mapping(mapping&& other) noexcept
        : region_(other.region_), base_(std::exchange(other.base_, nullptr)) {}
    mapping& operator=(mapping&& other) noexcept {
      std::swap(region_, other.region_);
      std::swap(base_, other.base_);
      return *this;
    }
    ~mapping();

    const memory_region& region() const noexcept { return region_; }
    std::byte* base() const noexcept { return base_; }

  private:
    memory_region region_;
    std::byte* base_;
  };

  std::vector<mapping> mappings_;
};

} // namespace crosvisor::io::vsock
