// SPDX-License-Identifier: Apache-2.0
#include "idsig.hpp"

#include <algorithm>

namespace crosvisor::guest {

namespace {

constexpr std::uint64_t version = 2;
constexpr std::uint64_t sha256 = 1;
constexpr std::uint64_t log2_block = 12;
constexpr std::uint64_t most_signatures = 7168;

outcome bad(const char* what) {
  return wrong(cause::verification_failed, "the idsig is bad: %s", what);
}

/// The hashing info: all of `info`, and nothing else.
outcome read_hashing(byte_view info, idsig_header& header) {
  byte_reader reader{info};
  auto algorithm = reader.little_endian(4);
  auto log2 = reader.little_endian(1);
  auto salt = reader.prefixed();
  auto root = reader.prefixed();
  if (!reader.good() || reader.left() != 0)
    return bad("its hashing info does not fill its size");
  if (algorithm != sha256 || log2 != log2_block)
    return bad("its tree is not one of SHA-256 over blocks of 4096 bytes");
  if (salt.size() > idsig_header::most_salt)
    return bad("its salt has more than 32 bytes");
  if (root.size() != idsig_header::hash_size)
    return bad("its root hash has not 32 bytes");
  std::copy(salt.begin(), salt.end(), header.salt);
  header.salt_size = salt.size();
  std::copy(root.begin(), root.end(), header.root_hash);
  return {};
}

} // namespace

outcome read_idsig(byte_view front, idsig_header& header) {
  header = {};
  byte_reader reader{front};
  if (reader.little_endian(4) != version || !reader.good())
    return bad("its version is not 2");
  auto hashing = reader.prefixed();
  if (!reader.good())
    return bad("its hashing info is cut short");
  if (auto read = read_hashing(hashing, header); !read.good())
    return read;
  auto signatures = reader.little_endian(4);
  if (signatures > most_signatures)
    return bad("its signatures have more than 7168 bytes");
  reader.take(static_cast<std::size_t>(signatures));
  header.tree_size = reader.little_endian(4);
  if (!reader.good())
    return bad("it is cut short before its tree");
  if (header.tree_size % (1u << log2_block) != 0)
    return bad("its tree is not made of blocks of 4096 bytes");
  header.tree_offset = front.size() - reader.left();
  return {};
}

} // namespace crosvisor::guest
