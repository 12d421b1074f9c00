// SPDX-License-Identifier: Apache-2.0
// What an APK's own signature, of APK signature scheme v3, says of its content.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// A digest of the APK's content as its signer stated it: nothing is computed or verified here.
struct apk_signature {
  std::string digest;             ///< 32, 40 or 64 bytes by the algorithm; empty: unsigned.
  std::uint32_t algorithm_id = 0; ///< Of the signature that states it.
  /// One sentence, when there is no signature of scheme v3.
  std::string unsigned_because;
};

/// More than any signing block that is known: they have certificates, and padding to 4096 bytes.
inline constexpr std::uint64_t max_signing_block_bytes = 16u << 20;

/// Reads an APK Signing Block, from its first size to its magic. Takes the signer that the newest
/// Android would: the one whose range of SDK versions has the highest version that the block names.
/// Of its signatures, that of the strongest content digest (SHA-512, then SHA-256's tree, then
/// SHA-256; of equals the last) is taken; DSA is not supported. Layout and order: AOSP's
/// libs/apkverify/src/{sigutil,v3,algorithms}.rs.
result<apk_signature> parse_signing_block(std::string_view block);

/// The same of a whole APK, which is a regular file of `apk_bytes`. Failures have code 0 where the
/// APK is at fault. Blocks as long as reading does.
result<apk_signature> read_apk_signature(int apk, std::uint64_t apk_bytes);

} // namespace crosvisor::io
