// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/update_idsig.hpp"
#include "crosvisor/tests/cli/inspect_fixture.hpp"
#include "crosvisor/tests/io/apk/judges.hpp"
#include "crosvisor/tests/io/apk/made_apk.hpp"
#include "crosvisor/tests/io/apk/zip_file.hpp"

#undef CAF_SUITE
#define CAF_SUITE cli.inspect_apk

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace crosvisor::tests;

namespace {

const std::string launcher =
  R"({"os": {"name": "microdroid"}, "task": {"type": "microdroid_launcher", "command": "p.so"}})";

struct fixture : inspect_fixture {
  /// The digest of a file, which need not be signed.
  std::string digest(const std::string& apk) const {
    auto path = apk + ".idsig";
    auto from = open_file(apk);
    auto to = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
    io::job_control calm;
    if (auto made = io::update_idsig(from.get(), to.get(), {true, {}, {}}, calm); !made)
      CAF_FAIL(made.why().what);
    return path;
  }

  static inspection compare(const std::string& idsig, const std::string& apk) {
    auto digest = inspected_file::open(idsig);
    auto of = inspected_file::open(apk);
    CAF_REQUIRE(digest && of);
    auto found = inspect_file(*digest);
    compare_with_apk(*digest, *of, found);
    return found;
  }
};

/// A ZIP file that is signed: by a block, for the signer's digest alone.
std::string signed_apk(const std::string& block) {
  return made_apk(block);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(inspect_apk_tests, fixture)

CAF_TEST(an APK is shown with its payloads) {
  auto found = look(write_zip(dir / "a.apk", {{"assets/vm_config.json", launcher},
                                              {"assets/other.json", R"({"colour": "red"})"},
                                              {"assets/bad.json", R"({"task": {"command": 3}})"},
                                              {"assets/list.json", "[1]"},
                                              {"res/x.json", launcher},
                                              {"lib/x86_64/p.so", "elf"}}));
  CAF_CHECK_EQUAL(verdict(found), "apk: ");
  CAF_CHECK_EQUAL(found.facts["entries"], 6);
  CAF_CHECK(found.facts["signature"].is_null());
  CAF_CHECK_EQUAL(found.facts["payload_configs"].dump(),
                  R"([{"apexes":0,"extra_apks":0,"task":"microdroid_launcher","os":"microdroid",)"
                  R"("command":"p.so","path":"assets/vm_config.json"}])");
  auto remarks = joined(found.remarks);
  CAF_CHECK(has(remarks, "it is not signed by APK signature scheme v3, since it has no APK Signing "
                         "Block"));
  CAF_CHECK(has(remarks, "no payload's configuration: assets/bad.json:1:22: task.command: "));
  CAF_CHECK(has(remarks, "no payload's configuration: assets/list.json:1:1: "));
}

CAF_TEST(only so many configurations are looked at) {
  std::vector<zip_member> members;
  for (int i = 0; i < 20; ++i)
    members.push_back({"assets/" + std::to_string(i) + ".json", launcher});
  members.push_back({"assets/bomb.json", std::string(10u << 20, ' ')});
  auto found = look(write_zip(dir / "a.apk", members));
  CAF_CHECK_EQUAL(found.facts["payload_configs"].size(), 16u);
  CAF_CHECK(
    has(joined(found.remarks), "only the first 16 files of JSON in assets/ were looked at"));
  found = look(write_zip(dir / "a.apk", {members.back()}));
  CAF_CHECK(has(joined(found.remarks), "assets/bomb.json: 10485760 bytes; at most 1048576"));
}

CAF_TEST(the signature is shown as it is stated) {
  auto found = look_at("PK\x03\x04" + signed_apk(signing_block(part(v3_scheme, scheme_block()))));
  CAF_CHECK_EQUAL(found.format, "apk");
  // There is no directory in this one, but libzip says so and nobody else.
  CAF_CHECK(has(joined(found.problems), "is damaged, or no ZIP archive"));
  found = look_at(signed_apk(signing_block(part(v3_scheme, scheme_block()))));
  CAF_CHECK_EQUAL(found.facts["signature"].dump(),
                  R"({"scheme":"v3","algorithm":"ECDSA, SHA-256","digest":")"
                    + io::to_hex(std::string(32, 'd')) + "\"}");
  found = look_at(signed_apk(signing_block(part(v2_scheme, "x"))));
  CAF_CHECK(has(joined(found.remarks), "it is signed by scheme v2 and not by v3"));
  found = look_at(signed_apk(signing_block(part(v3_scheme, "x"))));
  CAF_CHECK(has(joined(found.problems), "has a broken signature: "));
}

CAF_TEST(an APK that was cut short is damaged) {
  auto bytes = zip_bytes({{"assets/vm_config.json", launcher}});
  CAF_CHECK_EQUAL(verdict_of(bytes), "apk: ");
  for (auto size : {std::size_t{4}, bytes.size() / 2, bytes.size() - 1}) {
    auto found = look_at(bytes.substr(0, size));
    CAF_CHECK_EQUAL(found.format, "apk");
    CAF_CHECK(!found.problems.empty());
    CAF_CHECK(found.facts["entries"].is_null());
  }
}

CAF_TEST(an idsig is shown and fits its APK) {
  auto apk = make_file(dir, "a.apk", 700'000);
  auto idsig = digest(apk);
  auto found = look(idsig);
  CAF_CHECK_EQUAL(verdict(found), "idsig: ");
  CAF_CHECK_EQUAL(found.facts["signed"], false);
  CAF_CHECK_EQUAL(found.facts["apk_digest"], "");
  CAF_CHECK_EQUAL(found.facts["tree_bytes"], 3 * 4096);
  CAF_CHECK_EQUAL(found.facts["root_hash"].get<std::string>().size(), 64u);
  found = compare(idsig, apk);
  CAF_CHECK_EQUAL(verdict(found), "idsig: ");
  CAF_CHECK_EQUAL(found.facts["apk"]["tree_fits"], true);
  CAF_CHECK_EQUAL(found.facts["apk"]["digest_fits"], true);
  CAF_CHECK_EQUAL(found.facts["apk"]["size_bytes"], 700'000);
}

CAF_TEST(an idsig of another APK does not fit) {
  auto idsig = digest(make_file(dir, "a.apk", 700'000));
  auto bytes = read_file(dir / "a.apk");
  bytes[300'000] ^= 1;
  auto found = compare(idsig, dir.write("b.apk", bytes));
  CAF_CHECK(has(joined(found.problems), "its root hash is not that of the APK, "));
  CAF_CHECK(has(joined(found.problems), "its tree differs from that of the APK, first in byte 0"));
  CAF_CHECK_EQUAL(found.facts["apk"]["tree_fits"], false);
  found = compare(idsig, dir.write("b.apk", bytes.substr(0, 4097)));
  CAF_CHECK(has(joined(found.problems), "its tree has 12288 bytes; that of the APK has 4096"));
}

CAF_TEST(a damaged idsig is still known) {
  auto idsig = digest(make_file(dir, "a.apk", 700'000));
  auto bytes = read_file(idsig);
  auto damaged = bytes;
  damaged[bytes.size() - 3 * 4096 + 10] ^= 1;
  CAF_CHECK_EQUAL(verdict_of(damaged),
                  "idsig: its tree's level 1, block 0: is not what level 2 states; its tree's "
                  "level 2, block 0: is not what the root hash states");
  CAF_CHECK(has(verdict_of(bytes.substr(0, bytes.size() - 1)), "idsig: is no idsig: its tree has"));
  CAF_CHECK(has(verdict_of(bytes.substr(0, 20)), "idsig: is no idsig: it ends within its"));
  // Nothing but a whole idsig's beginning tells of one.
  CAF_CHECK_EQUAL(verdict_of(bytes.substr(0, 12)), "raw: ");
  bytes[0] = 0;
  CAF_CHECK_EQUAL(verdict_of(bytes), "idsig: is no idsig: its version is 0, so that its writing "
                                     "was cut short");
  bytes[8] = 0;
  CAF_CHECK_EQUAL(verdict_of(bytes), "raw: ");
}

CAF_TEST(an idsig without a tree is held against its APK) {
  auto apk = dir.write("a.apk", "small");
  auto idsig = digest(apk);
  auto found = look(idsig);
  CAF_CHECK_EQUAL(verdict(found), "idsig: ");
  CAF_CHECK(has(joined(found.remarks), "has no tree"));
  CAF_CHECK_EQUAL(verdict(compare(idsig, apk)), "idsig: ");
  CAF_CHECK(has(verdict(compare(idsig, dir.write("b.apk", "other"))), "root hash is not that"));
}

CAF_TEST(what Android made is sound) {
  auto folder = golden_folder();
  if (folder.empty())
    return;
  auto signed_one = compare(folder + "/idsig/test.apk.idsig", folder + "/idsig/test.apk");
  CAF_CHECK_EQUAL(signed_one.facts["signed"], true);
  CAF_CHECK_EQUAL(signed_one.facts["apk"]["tree_fits"], true);
  // The APK is signed by DSA, which is not read.
  CAF_CHECK(signed_one.facts["apk"]["digest_fits"].is_null());
  CAF_CHECK(has(joined(signed_one.problems), "DSA is not"));
  auto name = std::string{"v3-only-with-ecdsa-sha256-p256.apk"};
  auto ours = compare(folder + "/idsig/" + name + ".idsig", folder + "/apk_digest/" + name);
  CAF_CHECK_EQUAL(verdict(ours), "idsig: ");
  CAF_CHECK_EQUAL(ours.facts["apk"]["digest_fits"], true);
  auto apk = look(folder + "/apk_digest/" + name);
  CAF_CHECK_EQUAL(verdict(apk), "apk: ");
  CAF_CHECK_EQUAL(apk.facts["signature"]["digest"], ours.facts["apk_digest"]);
  CAF_CHECK(
    has(verdict(look(folder + "/apk_digest/v2-only-truncated-cd.apk")), "apk: is a broken"));
}

CAF_TEST_FIXTURE_SCOPE_END()
