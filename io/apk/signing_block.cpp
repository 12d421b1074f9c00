// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/signing_block.hpp"

#include "crosvisor/io/apk/fields.hpp"
#include "crosvisor/io/apk/zip_directory.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace crosvisor::io {

namespace {

using namespace std::string_view_literals;

constexpr auto block_magic = "APK Sig Block 42"sv;
/// Two sizes and the magic.
constexpr std::uint64_t least_block_bytes = 8 + 8 + block_magic.size();
constexpr std::uint32_t v2_id = 0x7109871a;
constexpr std::uint32_t v3_id = 0xf05368c0;

struct signer {
  std::string_view signed_data;
  std::uint32_t min_sdk = 0;
  std::uint32_t max_sdk = 0;
  std::string_view signatures;
};

struct algorithm {
  std::uint32_t id;
  int rank; ///< Of its content digest; the highest is the strongest.
  std::size_t digest_bytes;
};

/// Ids: source.android.com/docs/security/features/apksigning/v2. The digest of rank 2 is the root
/// of a hash tree, and the file's size.
constexpr algorithm supported[] = {
  {0x0101, 1, 32}, {0x0103, 1, 32}, {0x0201, 1, 32}, {0x0421, 2, 40},
  {0x0423, 2, 40}, {0x0102, 3, 64}, {0x0104, 3, 64}, {0x0202, 3, 64},
};

failure broken(const std::string& how) {
  return {0, "has a broken signature: " + how};
}

apk_signature not_signed(std::string why) {
  return {{}, 0, std::move(why)};
}

const algorithm* find_supported(std::uint32_t id) {
  const auto* found = std::find_if(std::begin(supported), std::end(supported),
                                   [id](const algorithm& one) { return one.id == id; });
  return found == std::end(supported) ? nullptr : found;
}

result<std::vector<signer>> parse_signers(std::string_view scheme_block) {
  field_reader fields{scheme_block};
  field_reader list{fields.sized()};
  std::vector<signer> signers;
  auto whole = fields.at_end();
  while (list.has_more()) {
    field_reader one{list.sized()};
    signers.push_back({one.sized(), one.u32(), one.u32(), one.sized()});
    one.sized(); // The public key, which the certificate has too.
    whole = whole && one.at_end();
  }
  if (!whole || !list.ok())
    return broken("the signers of scheme v3 are not as long as their fields");
  return signers;
}

result<signer> choose_signer(const std::vector<signer>& from) {
  if (from.empty())
    return broken("scheme v3 has no signer");
  auto newest =
    std::max_element(from.begin(), from.end(), [](const signer& one, const signer& other) {
      return one.max_sdk < other.max_sdk;
    })->max_sdk;
  const signer* chosen = nullptr;
  for (const auto& one : from) {
    if (one.min_sdk > newest || one.max_sdk < newest)
      continue;
    if (chosen != nullptr)
      return broken("scheme v3 has more than one signer for SDK version " + std::to_string(newest));
    chosen = &one;
  }
  if (chosen == nullptr)
    return broken("the signer of scheme v3 is for no SDK version");
  return *chosen;
}

result<algorithm> choose_algorithm(std::string_view signatures) {
  field_reader list{signatures};
  const algorithm* strongest = nullptr;
  auto whole = true;
  while (list.has_more()) {
    field_reader one{list.sized()};
    const auto* found = find_supported(one.u32());
    one.sized();
    whole = whole && one.at_end();
    if (found != nullptr && (strongest == nullptr || found->rank >= strongest->rank))
      strongest = found;
  }
  if (!whole || !list.ok())
    return broken("the signatures of scheme v3 are not as long as their fields");
  if (strongest == nullptr)
    return failure{0, "has no signature of scheme v3 with a supported algorithm; RSA and ECDSA "
                      "are, DSA is not"};
  return *strongest;
}

/// The digest of exactly that algorithm, among those that were signed.
std::optional<std::string_view> find_digest(std::string_view digests, std::uint32_t id) {
  field_reader list{digests};
  std::optional<std::string_view> found;
  while (list.has_more()) {
    field_reader one{list.sized()};
    auto its_id = one.u32();
    auto digest = one.sized();
    if (!one.at_end())
      return {};
    if (its_id == id && !found)
      found = digest;
  }
  return list.ok() ? found : std::nullopt;
}

result<apk_signature> parse_scheme_block(std::string_view scheme_block) {
  auto signers = parse_signers(scheme_block);
  if (!signers)
    return signers.why();
  auto chosen = choose_signer(*signers);
  if (!chosen)
    return chosen.why();
  auto strongest = choose_algorithm(chosen->signatures);
  if (!strongest)
    return strongest.why();
  field_reader data{chosen->signed_data};
  auto digests = data.sized();
  data.sized(); // Certificates.
  auto min_sdk = data.u32(), max_sdk = data.u32();
  data.sized(); // Attributes; what may follow is not defined.
  if (!data.ok())
    return broken("the signed data of scheme v3 is shorter than its fields");
  if (min_sdk != chosen->min_sdk || max_sdk != chosen->max_sdk)
    return broken("the SDK versions of its signer are not those that were signed");
  auto digest = find_digest(digests, strongest->id);
  if (!digest || digest->size() != strongest->digest_bytes)
    return broken("its signed data has no digest for its strongest signature");
  return apk_signature{std::string{*digest}, strongest->id, {}};
}

/// Both sizes of a block, and its magic.
std::optional<failure> check_frame(std::string_view block) {
  if (block.size() < least_block_bytes || !block.ends_with(block_magic))
    return broken("its APK Signing Block has no magic");
  field_reader first{block};
  field_reader last{block.substr(block.size() - block_magic.size() - 8)};
  auto size = first.u64();
  if (size != block.size() - 8 || last.u64() != size)
    return broken("the two sizes of its APK Signing Block differ");
  return {};
}

/// The whole block, or nothing where there is none.
result<std::string> read_block(int apk, std::uint64_t directory_offset) {
  if (directory_offset < least_block_bytes)
    return std::string{};
  std::string footer(8 + block_magic.size(), '\0');
  auto got = read_some_at(apk, directory_offset - footer.size(), footer);
  if (!got)
    return got.why();
  if (*got != footer.size() || !footer.ends_with(block_magic))
    return std::string{};
  // Its first 8 bytes are not counted.
  auto size = field_reader{footer}.u64();
  if (size < least_block_bytes - 8 || size > directory_offset - 8)
    return broken("its APK Signing Block of " + std::to_string(size)
                  + " bytes doesn't fit before the ZIP directory");
  if (size > max_signing_block_bytes - 8)
    return broken("its APK Signing Block has " + std::to_string(size) + " bytes; at most "
                  + std::to_string(max_signing_block_bytes - 8) + " are allowed");
  std::string block(static_cast<std::size_t>(size + 8), '\0');
  got = read_some_at(apk, directory_offset - block.size(), block);
  if (!got)
    return got.why();
  block.resize(*got);
  return block;
}

} // namespace

result<apk_signature> parse_signing_block(std::string_view block) {
  if (auto problem = check_frame(block))
    return *problem;
  field_reader pairs{block.substr(8, block.size() - least_block_bytes)};
  std::optional<std::string_view> v3;
  auto has_v2 = false, whole = true;
  while (pairs.has_more()) {
    auto content = pairs.bytes(pairs.u64());
    field_reader pair{content};
    auto id = pair.u32();
    whole = whole && pair.ok();
    has_v2 = has_v2 || id == v2_id;
    if (id != v3_id)
      continue;
    if (v3)
      return broken("its APK Signing Block has two blocks of scheme v3");
    v3 = content.substr(4);
  }
  if (!whole || !pairs.ok())
    return broken("its APK Signing Block is not as long as its parts");
  if (!v3)
    return not_signed(has_v2 ? "it is signed by scheme v2 and not by v3"
                             : "its APK Signing Block has nothing of scheme v3");
  return parse_scheme_block(*v3);
}

result<apk_signature> read_apk_signature(int apk, std::uint64_t apk_bytes) {
  std::string last(static_cast<std::size_t>(std::min<std::uint64_t>(apk_bytes, max_zip_end_bytes)),
                   '\0');
  auto got = read_some_at(apk, apk_bytes - last.size(), last);
  if (!got)
    return got.why();
  if (*got != last.size())
    return failure{0, "has become shorter while it was read"};
  auto directory = find_zip_directory(last, apk_bytes);
  if (!directory)
    return directory.why();
  if (!*directory)
    return not_signed("it is no ZIP file, or not a whole one");
  auto block = read_block(apk, (*directory)->offset);
  if (!block)
    return block.why();
  if (block->empty())
    return not_signed("it has no APK Signing Block before its ZIP directory");
  return parse_signing_block(*block);
}

} // namespace crosvisor::io
