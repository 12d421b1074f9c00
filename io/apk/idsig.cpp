// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/idsig.hpp"

#include "crosvisor/io/apk/fields.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <optional>

namespace crosvisor::io {

namespace {

constexpr std::uint32_t version = 2;
constexpr std::uint32_t sha256_id = 1;
constexpr std::uint8_t log2_block_bytes = 12;

failure broken(const std::string& how) {
  return {0, "is no idsig: " + how};
}

failure cut_short(const std::string& where) {
  return broken("it ends within its " + where);
}

std::string only(std::uint64_t found, std::uint64_t allowed) {
  return std::to_string(found) + ", where only " + std::to_string(allowed) + " is known";
}

std::string bytes_of(const idsig_signing_info& from) {
  std::string bytes;
  for (const auto* field :
       {&from.apk_digest, &from.certificate, &from.additional_data, &from.public_key})
    append_sized(bytes, *field);
  append_u32(bytes, from.algorithm_id);
  append_sized(bytes, from.signature);
  return bytes;
}

/// Takes one off the front of what may hold more.
idsig_signing_info take_signing_info(field_reader& from) {
  idsig_signing_info to;
  to.apk_digest = from.sized();
  to.certificate = from.sized();
  to.additional_data = from.sized();
  to.public_key = from.sized();
  to.algorithm_id = from.u32();
  to.signature = from.sized();
  return to;
}

std::optional<failure> parse_hashing_info(std::string_view bytes, idsig& to) {
  field_reader info{bytes};
  auto algorithm = info.u32();
  auto log2_block = info.u8();
  to.salt = info.sized();
  auto root = info.sized();
  if (!info.at_end())
    return broken("its hashing info is not as long as its fields");
  if (algorithm != sha256_id)
    return broken("its hash algorithm is " + only(algorithm, sha256_id) + " (SHA-256)");
  if (log2_block != log2_block_bytes)
    return broken("the logarithm of its block size is " + only(log2_block, log2_block_bytes));
  if (to.salt.size() > max_salt_bytes)
    return broken("its salt has " + std::to_string(to.salt.size()) + " bytes; at most "
                  + std::to_string(max_salt_bytes) + " are allowed");
  if (root.size() != to.root_hash.size())
    return broken("its root hash has " + only(root.size(), to.root_hash.size()) + " bytes");
  std::copy(root.begin(), root.end(), to.root_hash.begin());
  return {};
}

std::optional<failure> parse_signing_infos(std::string_view bytes, idsig& to) {
  field_reader infos{bytes};
  to.signing = take_signing_info(infos);
  while (infos.has_more()) {
    auto id = infos.u32();
    auto content = infos.sized();
    if (infos.ok() && id == v31_block_id && !parse_signing_info(content))
      return broken("the fields of its signing info for v3.1 don't fill it");
    to.more.push_back({id, std::string{content}});
  }
  if (!infos.ok())
    return broken("its signing infos are not as long as their fields");
  return {};
}

std::optional<failure> check_tree(std::uint64_t left_bytes, const idsig& of) {
  if (of.tree_bytes % merkle_block_bytes != 0)
    return broken("its tree of " + std::to_string(of.tree_bytes) + " bytes is not made of blocks");
  if (left_bytes == of.tree_bytes)
    return {};
  return broken("its tree has " + std::to_string(left_bytes) + " bytes, where "
                + std::to_string(of.tree_bytes) + " are stated");
}

/// A file whose writing was cut short has zeros here, or nothing.
std::optional<failure> check_version(std::string_view first_bytes) {
  if (first_bytes.empty())
    return broken("it is empty");
  field_reader fields{first_bytes};
  auto found = fields.u32();
  if (!fields.ok())
    return cut_short("version");
  if (found == 0)
    return broken("its version is 0, so that its writing was cut short");
  if (found != version)
    return broken("its version is " + only(found, version));
  return {};
}

} // namespace

std::string serialize(const idsig& what) {
  std::string hashing;
  append_u32(hashing, sha256_id);
  hashing += static_cast<char>(log2_block_bytes);
  append_sized(hashing, what.salt);
  append_sized(hashing,
               {reinterpret_cast<const char*>(what.root_hash.data()), what.root_hash.size()});
  auto signing = bytes_of(what.signing);
  for (const auto& block : what.more) {
    append_u32(signing, block.id);
    append_sized(signing, block.content);
  }
  std::string bytes;
  append_u32(bytes, version);
  append_sized(bytes, hashing);
  append_sized(bytes, signing);
  append_u32(bytes, what.tree_bytes);
  return bytes;
}

result<idsig> parse_idsig(std::string_view first_bytes, std::uint64_t file_bytes) {
  if (auto problem = check_version(first_bytes))
    return *problem;
  idsig to;
  field_reader fields{first_bytes};
  fields.u32();
  auto hashing = fields.sized();
  if (!fields.ok())
    return cut_short("hashing info");
  if (auto problem = parse_hashing_info(hashing, to))
    return *problem;
  auto signing_bytes = fields.u32();
  if (signing_bytes > max_signing_infos_bytes)
    return broken("its signing infos have " + std::to_string(signing_bytes) + " bytes; at most "
                  + std::to_string(max_signing_infos_bytes) + " are allowed");
  auto signing = fields.bytes(signing_bytes);
  to.tree_bytes = fields.u32();
  if (!fields.ok())
    return cut_short("signing infos");
  if (auto problem = parse_signing_infos(signing, to))
    return *problem;
  // What is before the tree has been read from these bytes, so the file is at least as long.
  auto tree_offset = 4 + 4 + hashing.size() + 4 + signing.size() + 4;
  if (auto problem = check_tree(file_bytes - tree_offset, to))
    return *problem;
  return to;
}

result<idsig_signing_info> parse_signing_info(std::string_view bytes) {
  field_reader fields{bytes};
  auto info = take_signing_info(fields);
  if (!fields.at_end())
    return broken("its signing info is not as long as its fields");
  return info;
}

result<idsig> read_idsig(int fd) {
  struct stat is;
  if (::fstat(fd, &is) != 0)
    return last_failure("can't be read");
  if (!S_ISREG(is.st_mode))
    return failure{0, "is not a regular file"};
  std::array<char, max_idsig_bytes> bytes;
  auto size = std::min<std::uint64_t>(bytes.size(), static_cast<std::uint64_t>(is.st_size));
  auto got = read_some_at(fd, 0, {bytes.data(), static_cast<std::size_t>(size)});
  if (!got)
    return got.why();
  if (*got != size)
    return failure{0, "has become shorter while it was read"};
  return parse_idsig({bytes.data(), *got}, static_cast<std::uint64_t>(is.st_size));
}

} // namespace crosvisor::io
