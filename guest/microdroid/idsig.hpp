// SPDX-License-Identifier: Apache-2.0
// The front of an APK's digest file: APK Signature Scheme v4, `.idsig`
// (https://source.android.com/docs/security/features/apksigning/v4).
#pragma once

#include "byte_reader.hpp"
#include "outcome.hpp"

#include <cstddef>
#include <cstdint>

namespace crosvisor::guest {

/// Of the APK's Merkle tree: SHA-256 over blocks of 4,096 bytes.
struct idsig_header {
  static constexpr std::size_t most_salt = 32; ///< fs-verity's bound.
  static constexpr std::size_t hash_size = 32;

  unsigned char root_hash[hash_size] = {};
  unsigned char salt[most_salt] = {};
  std::size_t salt_size = 0;
  std::uint64_t tree_offset = 0; ///< Of the tree's first byte in the file.
  std::uint64_t tree_size = 0;   ///< Whole blocks; 0 for an APK of one block.
};

/// More than what stands before the tree can take: its signatures have at most 7,168 bytes.
inline constexpr std::size_t most_idsig_header = 8192;

/// Reads what stands before the tree. @param front the first bytes of the file, most_idsig_header
/// or all there are. Bad ones are cause::verification_failed. The signatures are passed over.
outcome read_idsig(byte_view front, idsig_header& header);

} // namespace crosvisor::guest
