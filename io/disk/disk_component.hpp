// SPDX-License-Identifier: Apache-2.0
// One opened part of a composite disk.
#pragma once

#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/io/disk/sparse_image.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

/// How a composite disk is opened.
struct composite_options {
  /// Components that are READ_WRITE are opened for writing.
  bool writable = false;
  /// The numbers of the inherited descriptors that hold Android sparse images; then every other
  /// component is raw. Nothing: a component that can't be written is sparse if it begins as one.
  std::optional<std::vector<int>> sparse;
};

/// The number of an inherited descriptor's path, `/proc/self/fd/N`; nothing for other paths.
std::optional<int> inherited_descriptor(const std::string& path);

/// Opens what a composite disk names. An inherited descriptor is duplicated, and must not be
/// close-on-exec: so it was meant for us (crosvm, base/src/sys/linux/mod.rs,
/// safe_descriptor_from_path). Any other path is opened, a relative one from `folder`. Refuses what
/// is neither a regular file nor a block device.
result<unique_fd> open_disk_file(const std::string& path, const std::string& folder, bool writable);

/// Offsets are its own; what is read and written must lie within its bytes. Any thread, and several
/// at a time; two writes to the same place are the callers' to keep apart.
class disk_component {
public:
  /// @param number counts from 0 and is for errors alone.
  /// @param bytes how much of the disk it is.
  static result<disk_component> open(const composite_component& from, std::size_t number,
                                     std::uint64_t bytes, const std::string& folder,
                                     const composite_options& options);

  std::uint64_t begin() const noexcept { return begin_; } ///< In the disk.
  std::uint64_t bytes() const noexcept { return bytes_; }
  bool writable() const noexcept { return writable_; }
  /// How errors name it: `component 2 "super.img"`.
  const std::string& name() const noexcept { return name_; }

  /// EIO where the file has ended.
  result<void> read(std::span<char> to, std::uint64_t offset) const;
  /// EIO where the file has ended: it never grows.
  result<void> write(std::string_view from, std::uint64_t offset) const;
  /// Makes a part read as zeros; `may_trim`: it need not keep its room in the file.
  result<void> zero(std::uint64_t count, std::uint64_t offset, bool may_trim) const;
  /// Gives a part's room back where the file system can; it reads as zeros then.
  result<void> trim(std::uint64_t count, std::uint64_t offset) const;
  /// Everything that was written has reached the disk.
  result<void> flush() const;

  /// A part of one kind, and at least one byte of it.
  struct extent {
    std::uint64_t bytes = 0;
    bool hole = false; ///< Takes no room and reads as zeros.
  };
  extent extent_at(std::uint64_t offset) const;

private:
  disk_component() = default;

  result<void> set_format(const composite_component& from, const composite_options& options);
  result<bool> choose_sparse(const composite_component& from,
                             const composite_options& options) const;
  result<void> check_within_file(const char* what, std::uint64_t count, std::uint64_t offset) const;
  result<void> write_zeros(std::uint64_t count, std::uint64_t offset) const;
  failure named(const failure& why) const;
  failure named_at(const failure& why, std::uint64_t offset) const;

  std::string name_;
  unique_fd fd_;
  std::optional<sparse_image> sparse_;
  std::uint64_t begin_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t file_offset_ = 0;
  std::uint64_t file_bytes_ = 0; // When it was opened.
  bool writable_ = false;
};

} // namespace crosvisor::io
