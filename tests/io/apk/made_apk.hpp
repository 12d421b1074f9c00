// SPDX-License-Identifier: Apache-2.0
// APKs made field by field, right and wrong.
#pragma once

#include "crosvisor/io/apk/fields.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::tests {

inline constexpr std::uint32_t v2_scheme = 0x7109871a, v3_scheme = 0xf05368c0;

inline std::string u32(std::uint32_t value) {
  std::string bytes;
  io::append_u32(bytes, value);
  return bytes;
}

inline std::string u64(std::uint64_t value) {
  return u32(static_cast<std::uint32_t>(value)) + u32(static_cast<std::uint32_t>(value >> 32));
}

inline std::string sized(const std::string& bytes) {
  return u32(static_cast<std::uint32_t>(bytes.size())) + bytes;
}

/// A signer of scheme v3: what it states for each of its algorithms.
struct made_signer {
  struct entry {
    std::uint32_t algorithm_id;
    std::string digest;
  };
  std::vector<entry> entries{{0x0201, std::string(32, 'd')}};
  std::uint32_t min_sdk = 24, max_sdk = 0x7fffffff;
  std::uint32_t signed_max_sdk = 0x7fffffff;
  bool digests = true;

  std::string bytes() const {
    std::string stated, signatures;
    for (const auto& one : entries) {
      stated += digests ? sized(u32(one.algorithm_id) + sized(one.digest)) : "";
      signatures += sized(u32(one.algorithm_id) + sized("signature"));
    }
    auto data =
      sized(stated) + sized(sized("certificate")) + u32(min_sdk) + u32(signed_max_sdk) + sized("");
    return sized(data) + u32(min_sdk) + u32(max_sdk) + sized(signatures) + sized("key");
  }
};

/// The content of a block of scheme v3.
inline std::string scheme_block(const std::vector<made_signer>& signers = {{}}) {
  std::string list;
  for (const auto& one : signers)
    list += sized(one.bytes());
  return sized(list);
}

/// A part of a signing block.
inline std::string part(std::uint32_t id, const std::string& content) {
  return u64(content.size() + 4) + u32(id) + content;
}

inline std::string signing_block(const std::string& parts) {
  auto size = u64(parts.size() + 24);
  return size + parts + size + "APK Sig Block 42";
}

/// A ZIP file without entries, but with bytes where they would be, and in its directory.
inline std::string made_apk(const std::string& block, const std::string& comment = "") {
  std::string entries(500, 'e'), directory(46, 'd');
  auto offset = static_cast<std::uint32_t>(entries.size() + block.size());
  auto size = static_cast<char>(comment.size());
  return entries + block + directory + "PK\x05\x06" + std::string(8, '\0') + u32(46) + u32(offset)
         + size + static_cast<char>(comment.size() >> 8) + comment;
}

} // namespace crosvisor::tests
