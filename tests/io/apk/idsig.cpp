// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/idsig.hpp"

#include "crosvisor/io/apk/fields.hpp"
#include "crosvisor/tests/io/apk/judges.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.apk.idsig

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

idsig sample() {
  idsig made;
  for (auto i = 0; i < 32; ++i)
    made.root_hash[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(0xa0 + i);
  made.signing.apk_digest = std::string(32, 'd');
  made.signing.algorithm_id = 0x0201;
  made.tree_bytes = 8192;
  return made;
}

std::string why(const std::string& header, std::uint64_t tree_bytes) {
  auto parsed = parse_idsig(header, header.size() + tree_bytes);
  if (parsed)
    return "";
  CAF_CHECK_EQUAL(parsed.why().code, 0);
  return parsed.why().what;
}

/// The bytes of a sample with one of them changed.
std::string changed(std::size_t at, char to) {
  auto bytes = serialize(sample());
  bytes[at] = to;
  return bytes;
}

} // namespace

CAF_TEST(the bytes are those of the format) {
  idsig made;
  made.tree_bytes = 4096;
  auto bytes = serialize(made);
  CAF_CHECK_EQUAL(bytes.size(), 85u);
  CAF_CHECK_EQUAL(to_hex(bytes), "020000002d000000010000000c0000000020000000" + std::string(64, '0')
                                   + "18000000" + std::string(32, '0') + "0103000000000000"
                                   + "00100000");
  bytes = serialize(sample());
  CAF_CHECK_EQUAL(bytes.size(), 117u);
  CAF_CHECK_EQUAL(to_hex(bytes.substr(53)), "3800000020000000" + to_hex(std::string(32, 'd'))
                                              + std::string(24, '0') + "0102000000000000"
                                              + "00200000");
}

CAF_TEST(what was written is read) {
  auto made = sample();
  made.salt = "salt";
  made.signing.certificate = std::string(500, 'c');
  made.signing.additional_data = "more";
  made.signing.public_key = std::string(91, 'k');
  made.signing.signature = std::string(72, 's');
  made.more.push_back({v31_block_id, serialize(sample()).substr(57, 56)});
  made.more.push_back({77, "unknown"});
  made.more.push_back({78, ""});
  auto bytes = serialize(made);
  auto parsed = parse_idsig(bytes, bytes.size() + 8192);
  CAF_REQUIRE(static_cast<bool>(parsed));
  CAF_CHECK(*parsed == made);
  auto inner = parse_signing_info(made.more.front().content);
  CAF_REQUIRE(static_cast<bool>(inner));
  CAF_CHECK(*inner == sample().signing);
}

CAF_TEST(every byte is accounted for) {
  auto bytes = serialize(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CAF_CHECK(has(why(bytes.substr(0, size), 8192), "is no idsig: it"));
  CAF_CHECK_EQUAL(why(bytes, 8192), "");
  CAF_CHECK_EQUAL(why(bytes, 8191), "is no idsig: its tree has 8191 bytes, where 8192 are stated");
  CAF_CHECK(has(why(bytes, 8193), "its tree has 8193 bytes"));
  CAF_CHECK(has(why(bytes, std::uint64_t{1} << 62), "its tree has"));
  // One more or less in either length.
  for (std::size_t at : {4u, 53u})
    for (auto by : {-1, 1})
      CAF_CHECK(why(changed(at, static_cast<char>(bytes[at] + by)), 8192) != "");
}

CAF_TEST(each field has its bounds) {
  CAF_CHECK_EQUAL(why("", 0), "is no idsig: it is empty");
  CAF_CHECK_EQUAL(why(changed(0, 0), 8192),
                  "is no idsig: its version is 0, so that its writing was cut short");
  CAF_CHECK_EQUAL(why(changed(0, 3), 8192), "is no idsig: its version is 3, where only 2 is known");
  CAF_CHECK(has(why(changed(8, 2), 8192), "its hash algorithm is 2, where only 1 is known"));
  CAF_CHECK(has(why(changed(12, 16), 8192), "its block size is 16, where only 12 is known"));
  CAF_CHECK(has(why(changed(17, 31), 8192), "hashing info is not as long as its fields"));
  CAF_CHECK(has(why(changed(113, 1), 8192), "is not made of blocks"));
  CAF_CHECK(has(why(changed(57, 33), 8192), "signing infos are not as long as their fields"));
  CAF_CHECK(has(why(changed(57, 31), 8192), "signing infos are not as long as their fields"));
  CAF_CHECK(has(why(changed(56, 1), 8192), "at most 7168 are allowed"));
}

CAF_TEST(a salt is bounded and so are the signing infos) {
  auto made = sample();
  made.salt = std::string(32, 's');
  CAF_CHECK_EQUAL(why(serialize(made), 8192), "");
  made.salt += 's';
  CAF_CHECK(has(why(serialize(made), 8192), "its salt has 33 bytes; at most 32 are allowed"));
  made = sample();
  made.signing.certificate = std::string(max_signing_infos_bytes - 56, 'c');
  auto bytes = serialize(made);
  CAF_CHECK_EQUAL(why(bytes, 8192), "");
  CAF_CHECK(bytes.size() <= max_idsig_bytes);
  made.signing.certificate += 'c';
  CAF_CHECK(has(why(serialize(made), 8192), "7169 bytes; at most 7168 are allowed"));
}

CAF_TEST(a further signing info that is none is refused) {
  auto made = sample();
  made.more.push_back({v31_block_id, "short"});
  CAF_CHECK(has(why(serialize(made), 8192), "signing info for v3.1"));
}

CAF_TEST(only a regular file is read) {
  for (const auto* path : {"/", "/dev/null"}) {
    auto refused = read_idsig(open_file(path).get());
    CAF_REQUIRE(!refused);
    CAF_CHECK_EQUAL(refused.why().code, 0);
    CAF_CHECK_EQUAL(refused.why().what, "is not a regular file");
  }
  auto none = read_idsig(-1);
  CAF_REQUIRE(!none);
  CAF_CHECK_EQUAL(none.why().code, EBADF);
}

CAF_TEST(an idsig of apksigner is read whole and has our tree) {
  temp_dir folder;
  make_key(folder, "ec", "ec -pkeyopt ec_paramgen_curve:prime256v1");
  make_zip(folder, "app.zip", 600'000);
  sign(folder, "ec", "app.zip", "app.apk");
  auto bytes = read_file(folder / "app.apk.idsig");
  auto parsed = read_idsig(open_file(folder / "app.apk.idsig").get());
  CAF_REQUIRE(static_cast<bool>(parsed));
  // Nothing of it is left out.
  auto header = serialize(*parsed);
  CAF_CHECK(bytes.substr(0, header.size()) == header);
  CAF_CHECK_EQUAL(parsed->signing.algorithm_id, 0x0201u);
  CAF_CHECK_EQUAL(parsed->signing.apk_digest.size(), 32u);
  CAF_CHECK(!parsed->signing.certificate.empty() && !parsed->signing.signature.empty());
  auto apk = open_file(folder / "app.apk");
  auto tree = build_merkle_tree(apk.get(), std::filesystem::file_size(folder / "app.apk"),
                                parsed->salt, job_control{});
  CAF_REQUIRE(static_cast<bool>(tree));
  CAF_CHECK(bytes.substr(header.size()) == tree->levels);
  CAF_CHECK_EQUAL(to_hex(parsed->root_hash), to_hex(tree->root));
  // And apksigner takes what ours writes back.
  folder.write("app.apk.idsig", header + tree->levels);
  auto said = must(
    folder, "apksigner verify -v --min-sdk-version 28 --v4-signature-file app.apk.idsig app.apk");
  CAF_CHECK(has(said, "(APK Signature Scheme v4): true"));
}
