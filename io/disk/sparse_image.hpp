// SPDX-License-Identifier: Apache-2.0
// Reads an Android sparse image as the disk that it stands for. The image is a stranger's: nothing
// in it is believed that was not held against its file.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace crosvisor::io {

/// How many chunks an image may have; each takes 32 bytes here.
inline constexpr std::uint32_t max_sparse_chunks = 1u << 20;

/// Its chunks are read once; after that any thread may read, and several at a time.
class sparse_image {
public:
  /// Reads the header and all chunks' headers, by the format in libsparse/sparse_format.h (AOSP
  /// system/core); checksums are passed over, as crosvm does. Refuses an image whose chunks are not
  /// of one piece with its header and its file, with the code 0.
  /// @param fd borrowed, as long as this lives; a regular file or a block device.
  static result<sparse_image> open(int fd);

  /// Of the disk, in bytes.
  std::uint64_t size_bytes() const noexcept { return size_bytes_; }

  /// Fills `to` from `offset` of the disk. Beyond its end it fails with EIO.
  result<void> read(std::span<char> to, std::uint64_t offset) const;

  /// A part of the disk that is of one kind.
  struct extent {
    std::uint64_t bytes = 0; ///< From the offset that was asked for; 0 beyond the end.
    bool zero = false;       ///< Takes no room in the image, and reads as zeros.
  };
  extent extent_at(std::uint64_t offset) const;

private:
  enum class kind : std::uint8_t { raw, fill, nothing };
  /// What a chunk stands for: it ends where the next one begins, the last one with the disk.
  struct region {
    std::uint64_t begin = 0;   ///< In the disk.
    std::uint64_t file_at = 0; ///< Of raw data.
    std::uint32_t pattern = 0; ///< Of a fill, as its bytes are in the file.
    kind what = kind::nothing;
  };
  class parser;

  std::size_t find(std::uint64_t offset) const;
  std::uint64_t end_of(std::size_t index) const;
  result<void> read_region(const region& from, std::span<char> to, std::uint64_t offset) const;

  int fd_ = -1;
  std::uint64_t size_bytes_ = 0;
  std::vector<region> regions_; // In the order of their beginnings, none empty, without gaps.
};

} // namespace crosvisor::io
