// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/signing_block.hpp"

#include "crosvisor/io/apk/idsig.hpp"
#include "crosvisor/io/apk/zip_directory.hpp"
#include "crosvisor/tests/io/apk/judges.hpp"
#include "crosvisor/tests/io/apk/made_apk.hpp"

#include <caf/test/dsl.hpp>

#include <sys/mman.h>

#undef CAF_SUITE
#define CAF_SUITE io.apk.signing_block

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

result<apk_signature> read(const std::string& apk) {
  unique_fd fd{::memfd_create("apk", MFD_CLOEXEC)};
  CAF_REQUIRE_EQUAL(::pwrite(fd.get(), apk.data(), apk.size(), 0),
                    static_cast<ssize_t>(apk.size()));
  return read_apk_signature(fd.get(), apk.size());
}

result<apk_signature> read_file_of(const std::string& path) {
  return read_apk_signature(open_file(path).get(), std::filesystem::file_size(path));
}

/// Why it is refused.
std::string why(const result<apk_signature>& read) {
  if (read)
    return "";
  CAF_CHECK_EQUAL(read.why().code, 0);
  return read.why().what;
}

std::string why_unsigned(const result<apk_signature>& read) {
  CAF_CHECK_EQUAL(why(read), "");
  return read && read->digest.empty() ? read->unsigned_because : "signed";
}

/// What is taken, by value.
apk_signature taken(const result<apk_signature>& read) {
  CAF_CHECK_EQUAL(why(read), "");
  return read ? *read : apk_signature{};
}

/// Of an APK with these signers.
result<apk_signature> read_signers(const std::vector<made_signer>& signers) {
  return read(made_apk(signing_block(part(v3_scheme, scheme_block(signers)))));
}

} // namespace

CAF_TEST(the digest of the one signature is taken) {
  auto found = read_signers({{}});
  CAF_CHECK_EQUAL(why(found), "");
  CAF_CHECK_EQUAL(found->digest, std::string(32, 'd'));
  CAF_CHECK_EQUAL(found->algorithm_id, 0x0201u);
  CAF_CHECK_EQUAL(found->unsigned_because, "");
}

CAF_TEST(other parts and a comment change nothing) {
  auto parts = part(v2_scheme, "v2") + part(v3_scheme, scheme_block()) + part(0x42726577, "");
  for (std::size_t size : {1u, 22u, 65535u})
    CAF_CHECK_EQUAL(taken(read(made_apk(signing_block(parts), std::string(size, 'c')))).digest,
                    std::string(32, 'd'));
  // The record is the last that could be one.
  CAF_CHECK(has(why(read(made_apk(signing_block(parts), made_apk("")))), "is a broken ZIP file"));
}

CAF_TEST(the strongest supported algorithm is taken) {
  made_signer one;
  one.entries = {{0x11223344, "?"},
                 {0x0104, std::string(64, 'a')},
                 {0x0421, std::string(40, 'b')},
                 {0x0103, std::string(32, 'c')},
                 {0x0301, std::string(32, 'd')}};
  CAF_CHECK_EQUAL(taken(read_signers({one})).algorithm_id, 0x0104u);
  CAF_CHECK_EQUAL(taken(read_signers({one})).digest, std::string(64, 'a'));
  one.entries.erase(one.entries.begin() + 1);
  CAF_CHECK_EQUAL(taken(read_signers({one})).algorithm_id, 0x0421u);
  one.entries.erase(one.entries.begin() + 1);
  CAF_CHECK_EQUAL(taken(read_signers({one})).algorithm_id, 0x0103u);
  one.entries.push_back({0x0201, std::string(32, 'e')});
  CAF_CHECK_EQUAL(taken(read_signers({one})).algorithm_id, 0x0201u);
  one.entries = {{0x11223344, "?"}, {0x0301, std::string(32, 'd')}, {0x0425, std::string(40, 'd')}};
  CAF_CHECK(has(why(read_signers({one})), "supported algorithm; RSA and ECDSA are, DSA is not"));
}

CAF_TEST(the signer for the newest SDK version is taken) {
  made_signer older{{{0x0201, std::string(32, 'o')}}, 24, 32, 32};
  made_signer newer{{{0x0201, std::string(32, 'n')}}, 33, 35, 35};
  CAF_CHECK_EQUAL(taken(read_signers({older, newer})).digest, std::string(32, 'n'));
  CAF_CHECK_EQUAL(taken(read_signers({newer, older})).digest, std::string(32, 'n'));
  CAF_CHECK_EQUAL(taken(read_signers({older})).digest, std::string(32, 'o'));
  CAF_CHECK(has(why(read_signers({newer, newer})), "more than one signer for SDK version 35"));
  older.max_sdk = older.signed_max_sdk = 35;
  CAF_CHECK(has(why(read_signers({older, newer})), "more than one signer for SDK version 35"));
  CAF_CHECK(has(why(read_signers({})), "has no signer"));
  made_signer none{{{0x0201, std::string(32, 'd')}}, 30, 29, 29};
  CAF_CHECK(has(why(read_signers({none})), "is for no SDK version"));
}

CAF_TEST(what was signed must agree) {
  made_signer one;
  one.signed_max_sdk = 30;
  CAF_CHECK(has(why(read_signers({one})), "SDK versions of its signer are not those"));
  one = {};
  one.digests = false;
  CAF_CHECK(has(why(read_signers({one})), "no digest for its strongest signature"));
  one = {};
  one.entries.front().digest.pop_back();
  CAF_CHECK(has(why(read_signers({one})), "no digest for its strongest signature"));
}

CAF_TEST(an APK without v3 is unsigned and says why) {
  CAF_CHECK(has(why_unsigned(read("")), "no ZIP file"));
  CAF_CHECK(has(why_unsigned(read("PK\x05\x06")), "no ZIP file"));
  CAF_CHECK(has(why_unsigned(read(std::string(200'000, 'P'))), "no ZIP file"));
  CAF_CHECK(has(why_unsigned(read(made_apk(""))), "no APK Signing Block"));
  CAF_CHECK(has(why_unsigned(read(made_apk(signing_block("")))), "nothing of scheme v3"));
  CAF_CHECK(has(why_unsigned(read(made_apk(signing_block(part(v2_scheme, "x"))))),
                "signed by scheme v2 and not by v3"));
  // What is cut off its end, and what was added to it.
  auto apk = made_apk(signing_block(part(v3_scheme, scheme_block())));
  CAF_CHECK(has(why_unsigned(read(apk.substr(0, apk.size() - 1))), "not a whole one"));
  CAF_CHECK(has(why_unsigned(read(apk + "x")), "not a whole one"));
}

CAF_TEST(a record too far from the end is not seen) {
  auto apk = made_apk("", std::string(65535, 'c'));
  CAF_CHECK(has(why_unsigned(read(apk)), "no APK Signing Block"));
  CAF_CHECK(has(why_unsigned(read(apk + "c")), "no ZIP file"));
}

CAF_TEST(ZIP64 is refused) {
  auto apk = made_apk(signing_block(part(v3_scheme, scheme_block())));
  auto zip64 = apk;
  zip64.replace(apk.size() - 22 - 20, 4, "PK\x06\x07");
  CAF_CHECK_EQUAL(why(read(zip64)), "is a ZIP64 file, which no APK may be");
  zip64 = apk;
  zip64.replace(apk.size() - 6, 4, "\xff\xff\xff\xff");
  CAF_CHECK_EQUAL(why(read(zip64)), "is a ZIP64 file, which no APK may be");
}

CAF_TEST(a directory that is elsewhere is refused) {
  auto apk = made_apk(signing_block(part(v3_scheme, scheme_block())));
  for (auto at : {apk.size() - 6, apk.size() - 10})
    for (auto by : {-1, 1}) {
      auto broken = apk;
      broken[at] = static_cast<char>(broken[at] + by);
      CAF_CHECK(has(why(read(broken)), "is a broken ZIP file: its directory of"));
    }
}

CAF_TEST(a block with wrong sizes is refused) {
  auto block = signing_block(part(v3_scheme, scheme_block()));
  auto with = [&](std::size_t at, const std::string& bytes) {
    auto broken = block;
    return why(read(made_apk(broken.replace(at, bytes.size(), bytes))));
  };
  CAF_CHECK(has(with(0, u64(block.size())), "two sizes of its APK Signing Block differ"));
  auto last = block.size() - 24;
  CAF_CHECK(has(with(last, u64(23)), "doesn't fit before the ZIP directory"));
  CAF_CHECK(has(with(last, u64(0)), "doesn't fit before the ZIP directory"));
  CAF_CHECK(has(with(last, u64(500 + block.size() - 7)), "doesn't fit before"));
  CAF_CHECK(has(with(last, u64(~std::uint64_t{0})), "doesn't fit before"));
  CAF_CHECK(has(with(last, u64(block.size())), "differ"));
  for (auto size : {std::uint64_t{0}, std::uint64_t{3}, block.size() - 39, ~std::uint64_t{0}})
    CAF_CHECK(has(with(8, u64(size)), "is not as long as its parts"));
  CAF_CHECK(has(why(read(made_apk(signing_block(part(v3_scheme, scheme_block())
                                                + part(v3_scheme, scheme_block()))))),
                "two blocks of scheme v3"));
}

CAF_TEST(a huge block is refused before it is read) {
  unique_fd fd{::memfd_create("apk", MFD_CLOEXEC)};
  std::uint32_t offset = 0x7fff0000;
  auto end = u64(offset - 8) + "APK Sig Block 42" + std::string(46, 'd') + "PK\x05\x06"
             + std::string(8, '\0') + u32(46) + u32(offset) + std::string(2, '\0');
  CAF_REQUIRE_EQUAL(::pwrite(fd.get(), end.data(), end.size(), offset - 24),
                    static_cast<ssize_t>(end.size()));
  CAF_CHECK(has(why(read_apk_signature(fd.get(), offset - 24 + end.size())),
                "has 2147418104 bytes; at most 16777208 are allowed"));
}

CAF_TEST(every cut of a scheme block is refused) {
  auto whole = scheme_block();
  for (std::size_t size = 0; size < whole.size(); ++size)
    CAF_CHECK(why(parse_signing_block(signing_block(part(v3_scheme, whole.substr(0, size)))))
              != "");
  CAF_CHECK(why(parse_signing_block(signing_block(part(v3_scheme, whole + "x")))) != "");
  // Nor does any other length go.
  for (std::size_t at = 0; at + 4 <= whole.size(); ++at) {
    auto broken = whole;
    broken.replace(at, 4, "\xff\xff\xff\xff");
    auto got = parse_signing_block(signing_block(part(v3_scheme, broken)));
    CAF_CHECK(!got || got->digest.size() == 32);
  }
}

CAF_TEST(apksigner states the same digest in its idsig) {
  temp_dir folder;
  make_zip(folder, "app.zip", 50'000);
  for (const auto* key : {"ec -pkeyopt ec_paramgen_curve:prime256v1", "rsa:2048", "rsa:4096"}) {
    make_key(folder, "key", key);
    sign(folder, "key", "app.zip", "app.apk");
    auto theirs = read_idsig(open_file(folder / "app.apk.idsig").get());
    auto ours = read_file_of(folder / "app.apk");
    CAF_CHECK_EQUAL(why(ours), "");
    CAF_CHECK_EQUAL(to_hex(ours->digest), to_hex(theirs->signing.apk_digest));
    CAF_CHECK_EQUAL(ours->algorithm_id, theirs->signing.algorithm_id);
  }
  sign(folder, "key", "app.zip", "v2.apk", "--v3-signing-enabled false");
  CAF_CHECK(has(why_unsigned(read_file_of(folder / "v2.apk")), "scheme v2 and not by v3"));
}

CAF_TEST(golden APKs have the digests that Android takes) {
  auto folder = golden_folder();
  if (folder.empty())
    return;
  folder += "/apk_digest/v3-only-with-";
  for (const auto* name :
       {"ecdsa-sha256-p256", "ignorable-unsupported-sig-algs", "rsa-pkcs1-sha512-4096", "stamp"}) {
    auto found = read_file_of(folder + name + ".apk");
    CAF_CHECK_EQUAL(why(found), "");
    CAF_CHECK_EQUAL(to_hex(found->digest), to_hex(read_file(folder + name + ".apk.apk_digest")));
  }
}

CAF_TEST(golden APKs that Android refuses are refused) {
  auto folder = golden_folder();
  if (folder.empty())
    return;
  folder += "/apk_digest/";
  for (const auto* name : {"with-dsa-sha256-2048", "no-supported-sig-algs"})
    CAF_CHECK(has(why(read_file_of(folder + "v3-only-" + name + ".apk")), "DSA is not"));
  CAF_CHECK(has(why(read_file_of(folder + "v2-only-truncated-cd.apk")),
                "is a broken ZIP file: its directory of 186 bytes at 3926"));
  CAF_CHECK(has(why_unsigned(read_file_of(folder + "v3-only-empty.apk")), "no APK Signing Block"));
}
