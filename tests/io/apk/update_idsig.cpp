// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/update_idsig.hpp"

#include "crosvisor/io/apk/idsig.hpp"
#include "crosvisor/tests/io/apk/judges.hpp"
#include "crosvisor/tests/io/apk/made_apk.hpp"
#include "crosvisor/tests/io/leftovers.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.apk.update_idsig

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture {
  temp_dir folder;
  std::string apk = folder.write(
    "app.apk", made_apk(signing_block(part(v3_scheme, scheme_block())), std::string(9000, 'c')));
  std::string path = folder / "app.idsig";

  result<idsig_info> update(bool allow_unsigned = false) {
    auto from = open_file(apk);
    auto to = open_file(path, O_RDWR | O_CREAT);
    return update_idsig(from.get(), to.get(), {allow_unsigned}, job_control{});
  }

  /// Gives the file an old time, so that any write is seen.
  void make_old() {
    const timespec old[2] = {{1000, 0}, {1000, 0}};
    CAF_REQUIRE_EQUAL(::utimensat(AT_FDCWD, path.c_str(), old, 0), 0);
  }

  bool is_old() {
    struct stat is;
    CAF_REQUIRE_EQUAL(::stat(path.c_str(), &is), 0);
    return is.st_mtime == 1000;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(update_idsig_tests, fixture)

// 9,000 bytes, byte i being i * i / 7 + i; root and tree were computed by Python's hashlib.
CAF_TEST(the bytes of an unsigned idsig are the seed ones) {
  std::string content;
  for (auto i = 0; i < 9000; ++i)
    content += static_cast<char>(i * i / 7 + i);
  apk = folder.write("file", content);
  auto done = update(true);
  CAF_REQUIRE(static_cast<bool>(done));
  const std::string root = "1effc93198df905ffd355798595bb3d909f1b5ba34e0ea5d1c9497ad30a5332e";
  const std::string leaves = "19a941a4152c162955c582e936599ac8d7ab114c88df1969b527d04939ca75d3"
                             "3ead7ceb3061b30936f32eb55ce00d1808f6b45e3ffb81f7b90ef331599ff54b"
                             "3710e2bd3c33b5b85772a1cddc5fe8b87588c99ce40fa974c7838867a3170b5c";
  CAF_CHECK_EQUAL(to_hex(read_file(path)), "020000002d000000010000000c0000000020000000" + root
                                             + "18000000" + std::string(32, '0')
                                             + "010300000000000000100000" + leaves
                                             + std::string(2 * (4096 - 96), '0'));
  CAF_CHECK_EQUAL(done->was_current, false);
  CAF_CHECK_EQUAL(done->apk_bytes, 9000u);
  CAF_CHECK_EQUAL(done->tree_bytes, 4096u);
  CAF_CHECK_EQUAL(done->root_hash, root);
  CAF_CHECK_EQUAL(done->apk_digest, "");
}

CAF_TEST(a signed APK has its digest in its idsig) {
  auto done = update();
  CAF_REQUIRE(static_cast<bool>(done));
  CAF_CHECK_EQUAL(done->apk_digest, to_hex(std::string(32, 'd')));
  auto written = read_idsig(open_file(path).get());
  CAF_REQUIRE(static_cast<bool>(written));
  CAF_CHECK_EQUAL(serialize(*written).size(), 117u);
  CAF_CHECK_EQUAL(written->signing.apk_digest, std::string(32, 'd'));
  CAF_CHECK_EQUAL(written->signing.algorithm_id, 0x0201u);
  CAF_CHECK_EQUAL(to_hex(written->root_hash), done->root_hash);
}

CAF_TEST(one that is up to date is left untouched) {
  auto first = update();
  make_old();
  auto content = read_file(path);
  auto second = update();
  CAF_REQUIRE(first && second);
  CAF_CHECK(second->was_current);
  CAF_CHECK(is_old());
  CAF_CHECK(read_file(path) == content);
  CAF_CHECK_EQUAL(second->root_hash, first->root_hash);
  CAF_CHECK_EQUAL(second->tree_bytes, first->tree_bytes);
  CAF_CHECK_EQUAL(second->apk_digest, first->apk_digest);
}

CAF_TEST(one of another APK is replaced) {
  CAF_CHECK(static_cast<bool>(update()));
  made_signer other;
  other.entries.front().digest = std::string(32, 'o');
  apk = folder.write("app.apk", made_apk(signing_block(part(v3_scheme, scheme_block({other})))));
  make_old();
  auto done = update();
  CAF_REQUIRE(static_cast<bool>(done));
  CAF_CHECK(!done->was_current);
  CAF_CHECK(!is_old());
  // That APK is smaller than a block, so that there is no tree.
  CAF_CHECK_EQUAL(read_file(path).size(), 117u);
  CAF_CHECK_EQUAL(done->apk_digest, to_hex(std::string(32, 'o')));
}

CAF_TEST(one with the same digest but of another size is replaced) {
  CAF_CHECK(static_cast<bool>(update()));
  apk = folder.write(
    "app.apk", made_apk(signing_block(part(v3_scheme, scheme_block())), std::string(100, 'c')));
  auto done = update();
  CAF_REQUIRE(static_cast<bool>(done));
  CAF_CHECK(!done->was_current);
  CAF_CHECK_EQUAL(done->tree_bytes, 0u);
}

CAF_TEST(one that was cut short anywhere is replaced) {
  CAF_CHECK(static_cast<bool>(update()));
  auto whole = read_file(path);
  auto unfinished = whole;
  unfinished.replace(0, 4, 4, '\0');
  std::vector<std::string> broken{"", unfinished, whole + "x", "something else"};
  for (auto size : {1u, 4u, 84u, 117u, 4096u, 4212u})
    broken.push_back(whole.substr(0, size));
  for (auto& content : broken) {
    folder.write("app.idsig", content);
    auto done = update();
    CAF_REQUIRE(static_cast<bool>(done));
    CAF_CHECK(!done->was_current);
    CAF_CHECK(read_file(path) == whole);
  }
}

CAF_TEST(an unsigned one is always made anew) {
  apk = folder.write("app.apk", made_apk(""));
  CAF_CHECK(static_cast<bool>(update(true)));
  make_old();
  auto done = update(true);
  CAF_REQUIRE(static_cast<bool>(done));
  CAF_CHECK(!done->was_current);
  CAF_CHECK(!is_old());
}

CAF_TEST(a longer file and a moved position change nothing) {
  folder.write("app.idsig", std::string(100'000, 'x'));
  auto from = open_file(apk);
  auto to = open_file(path, O_RDWR);
  ::lseek(to.get(), 5000, SEEK_SET);
  ::lseek(from.get(), 5000, SEEK_SET);
  CAF_CHECK(static_cast<bool>(update_idsig(from.get(), to.get(), {}, job_control{})));
  CAF_CHECK_EQUAL(::lseek(to.get(), 0, SEEK_CUR), 5000);
  CAF_CHECK_EQUAL(::lseek(from.get(), 0, SEEK_CUR), 5000);
  CAF_CHECK_EQUAL(read_file(path).size(), 117u + 4096);
}

CAF_TEST(one of apksigner is up to date) {
  make_key(folder, "ec", "ec -pkeyopt ec_paramgen_curve:prime256v1");
  make_zip(folder, "app.zip", 600'000);
  sign(folder, "ec", "app.zip", "signed.apk");
  apk = folder / "signed.apk";
  path = folder / "signed.apk.idsig";
  auto theirs = update();
  CAF_REQUIRE(static_cast<bool>(theirs));
  CAF_CHECK(theirs->was_current);
  path = folder / "ours.idsig";
  auto ours = update();
  CAF_REQUIRE(static_cast<bool>(ours));
  CAF_CHECK(!ours->was_current);
  CAF_CHECK_EQUAL(ours->root_hash, theirs->root_hash);
  CAF_CHECK_EQUAL(ours->apk_digest, theirs->apk_digest);
}

CAF_TEST(golden APKs have the idsigs that Android makes) {
  auto golden = golden_folder();
  if (golden.empty())
    return;
  apk = golden + "/apk_digest/v3-only-with-ecdsa-sha256-p256.apk";
  CAF_CHECK(static_cast<bool>(update()));
  CAF_CHECK(read_file(path)
            == read_file(golden + "/idsig/v3-only-with-ecdsa-sha256-p256.apk.idsig"));
}

// Its signature is DSA's, so that the service would refuse it.
CAF_TEST(the golden idsig of apksigner has our tree) {
  auto golden = golden_folder();
  if (golden.empty())
    return;
  apk = golden + "/idsig/test.apk";
  auto refused = update();
  CAF_REQUIRE(!refused);
  CAF_CHECK(has(refused.why().what, "DSA is not"));
  auto theirs = read_idsig(open_file(apk + ".idsig").get());
  CAF_REQUIRE(static_cast<bool>(theirs));
  auto header = serialize(*theirs);
  CAF_CHECK_EQUAL(header.size(), 2251u);
  CAF_CHECK_EQUAL(to_hex(theirs->signing.apk_digest),
                  "b5225523a813fb84ed599dd649698c080bcfed4fb19ddb00283a662a2683bc15");
  auto tree =
    build_merkle_tree(open_file(apk).get(), std::filesystem::file_size(apk), {}, job_control{});
  CAF_REQUIRE(static_cast<bool>(tree));
  CAF_CHECK(read_file(apk + ".idsig") == header + tree->levels);
  CAF_CHECK_EQUAL(to_hex(tree->root), to_hex(theirs->root_hash));
  CAF_CHECK_EQUAL(to_hex(tree->root),
                  "ce1194fdb3cb2537daf0ac8cdf4926754adcbce5abeece7945fe25d204a0df6a");
}

CAF_TEST_FIXTURE_SCOPE_END()
