// SPDX-License-Identifier: Apache-2.0
// What an .idsig file says of an APK: APK signature scheme v4.
#pragma once

#include "crosvisor/io/apk/merkle_tree.hpp"
#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

/// What is in the place of a signature's algorithm where there is none: Android's service has had
/// this from its first version on (it is that of DSA with SHA-256).
inline constexpr std::uint32_t unsigned_algorithm_id = 0x0301;

/// Who signed the hashes, and how. Every field may be empty; Android's service and we sign nothing.
struct idsig_signing_info {
  std::string apk_digest;  ///< That of the APK's own signature, see signing_block.hpp.
  std::string certificate; ///< X.509, DER.
  std::string additional_data;
  std::string public_key; ///< SubjectPublicKeyInfo, DER.
  std::uint32_t algorithm_id = unsigned_algorithm_id;
  std::string signature;

  bool operator==(const idsig_signing_info&) const = default;
};

/// A further idsig_signing_info (v4.1), as it is in the file: what is in it depends on the id.
struct idsig_block {
  std::uint32_t id = 0;
  std::string content;

  bool operator==(const idsig_block&) const = default;
};

/// Of the signer that scheme v3.1 has for newer Androids; its content is an idsig_signing_info.
inline constexpr std::uint32_t v31_block_id = 0x1b93ad61;

/// An .idsig without its tree, which ends the file. SHA-256 and blocks of 4096 bytes, as all have
/// them.
struct idsig {
  std::string salt; ///< At most max_salt_bytes.
  sha256_hash root_hash{};
  idsig_signing_info signing;
  std::vector<idsig_block> more;
  std::uint32_t tree_bytes = 0;

  bool operator==(const idsig&) const = default;
};

/// Of the signing infos together (apksig's V4Signature.java, MAX_SIGNING_INFOS_SIZE).
inline constexpr std::size_t max_signing_infos_bytes = 7168;
/// How many bytes parse_idsig() looks at.
inline constexpr std::size_t max_idsig_bytes =
  4 + 4 + (4 + 1 + 4 + max_salt_bytes + 4 + 32) + 4 + max_signing_infos_bytes + 4;

/// All that comes before the tree: as many bytes as the tree's offset. The fields are within their
/// bounds.
std::string serialize(const idsig& what);

/// Reads the first bytes of an .idsig, as many as there are up to max_idsig_bytes. Every byte of
/// the file must be accounted for. Layout: apksig's V4Signature.java, AOSP's
/// libs/apkverify/src/v4.rs. Failures have code 0.
/// @param file_bytes the size of the whole file, its tree included.
result<idsig> parse_idsig(std::string_view first_bytes, std::uint64_t file_bytes);

/// The same of an idsig_signing_info alone.
result<idsig_signing_info> parse_signing_info(std::string_view bytes);

/// The same from a regular file. Blocks as long as reading does.
result<idsig> read_idsig(int fd);

} // namespace crosvisor::io
