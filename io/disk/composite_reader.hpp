// SPDX-License-Identifier: Apache-2.0
// A composite disk, opened: reads and writes by offsets of the disk go to its components' files.
#pragma once

#include "crosvisor/io/disk/disk_component.hpp"
#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

/// Any thread, and several at a time, on positional I/O alone. Failures name the component and the
/// offset of the disk; their codes: EINVAL beyond the disk's end, EPERM what can't be written, EIO
/// where a component's file has ended, else the host's. A composite file names paths which are then
/// opened with this process's rights: open none of a stranger's.
class composite_reader {
public:
  /// Opens the file and all of its components; its own path may be `/proc/self/fd/N`, too. Blocks
  /// as long as that does.
  static result<composite_reader> open(const std::string& path, const composite_options& options);

  std::uint64_t size_bytes() const noexcept { return size_bytes_; }
  /// Whether any component can be written.
  bool writable() const noexcept;
  const std::vector<disk_component>& components() const noexcept { return components_; }

  result<void> read(std::span<char> to, std::uint64_t offset) const;

  /// These three change nothing where one of the components concerned can't be written.
  result<void> write(std::string_view from, std::uint64_t offset) const;
  /// See disk_component::zero.
  result<void> zero(std::uint64_t count, std::uint64_t offset, bool may_trim) const;
  result<void> trim(std::uint64_t count, std::uint64_t offset) const;

  /// Everything that was written before, through this, has reached the disk.
  result<void> flush() const;

  /// A part of the disk.
  struct extent {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    bool hole = false; ///< Takes no room and reads as zeros.
  };
  /// Calls `each` with the parts of a range, in order, until it returns false.
  result<void> extents(std::uint64_t count, std::uint64_t offset,
                       const std::function<bool(const extent&)>& each) const;

private:
  composite_reader() = default;

  /// A range's share of one component.
  struct part {
    const disk_component* component;
    std::uint64_t at;    ///< In the component.
    std::uint64_t bytes; ///< Not 0.
    std::uint64_t done;  ///< How much of the range is before it.
  };
  result<void> for_each_part(std::uint64_t count, std::uint64_t offset,
                             const std::function<result<void>(const part&)>& each) const;
  result<void> check_writable(std::uint64_t count, std::uint64_t offset) const;

  std::uint64_t size_bytes_ = 0;
  std::vector<disk_component> components_; // In the order of their offsets, without gaps.
};

} // namespace crosvisor::io
