// SPDX-License-Identifier: Apache-2.0
// The tree of hashes by which the kernel checks a file block by block.
#pragma once

#include "crosvisor/io/job_control.hpp"
#include "crosvisor/io/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace crosvisor::io {

inline constexpr std::uint64_t merkle_block_bytes = 4096;
/// What the kernel's fs-verity takes at most (FS_VERITY_MAX_SALT_SIZE).
inline constexpr std::size_t max_salt_bytes = 32;

using sha256_hash = std::array<std::uint8_t, 32>;

/// fs-verity's tree with SHA-256 and blocks of 4096 bytes (Documentation/filesystems/fsverity.rst
/// of the kernel); also dm-verity's of version 1 for a file that is padded with zeros to whole
/// blocks.
struct merkle_tree {
  /// The top level first, each level padded with zeros to whole blocks. Empty for one block or
  /// none.
  std::string levels;
  /// Hash of the top level, or of the only block. Of an empty file that of a block of zeros, as
  /// Android's service has it; fs-verity itself has 32 zeros there.
  sha256_hash root{};
};

/// How long `levels` is for a file of that size, which is at most 2^62 bytes.
std::uint64_t merkle_tree_bytes(std::uint64_t data_bytes);

/// Reads the whole regular file once, on every processor that this thread may use. Takes the memory
/// of the tree (1/127 of the file, so that the caller bounds its size), and 512 KiB for each
/// processor. Its threads have ended when it returns, and take no signals. Any thread; blocks;
/// reports
/// progress on the calling one, at first 0 and in the end all.
/// @param data_bytes the file's size. A file that has or gets another one is refused, with code 0.
/// @param salt hashed before each block, at most max_salt_bytes; empty: there is none.
result<merkle_tree> build_merkle_tree(int fd, std::uint64_t data_bytes, std::string_view salt,
                                      const job_control& control);

/// Lower-case hexadecimal digits.
std::string to_hex(std::string_view bytes);
std::string to_hex(const sha256_hash& hash);

} // namespace crosvisor::io
