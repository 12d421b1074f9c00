// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/idsig_tree.hpp"

#include "crosvisor/io/apk/update_idsig.hpp"
#include "crosvisor/tests/io/apk/judges.hpp"

#undef CAF_SUITE
#define CAF_SUITE io.apk.idsig_tree

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture {
  temp_dir dir;
  job_control calm;

  /// The digest of a file of that size, salted or not.
  std::string make(std::uint64_t size, const std::string& salt = "") {
    auto apk = open_file(make_file(dir, "a.apk", size));
    auto tree = build_merkle_tree(apk.get(), size, salt, calm);
    if (!tree)
      CAF_FAIL(tree.why().what);
    idsig made;
    made.salt = salt;
    made.root_hash = tree->root;
    made.tree_bytes = static_cast<std::uint32_t>(tree->levels.size());
    return serialize(made) + tree->levels;
  }

  static std::string joined(const std::vector<std::string>& all) {
    std::string text;
    for (const auto& one : all)
      text += (text.empty() ? "" : "; ") + one;
    return text;
  }

  std::string problems(const std::string& bytes) const {
    auto fd = open_file(dir.write("a.idsig", bytes));
    auto of = read_idsig(fd.get());
    if (!of)
      return of.why().what;
    auto found = find_tree_problems(fd.get(), *of);
    return found ? joined(*found) : "failed: " + found.why().what;
  }

  apk_match match(const std::string& bytes, const std::string& apk) const {
    auto fd = open_file(dir.write("a.idsig", bytes));
    auto of = read_idsig(fd.get());
    CAF_REQUIRE(static_cast<bool>(of));
    auto found = compare_with_apk(fd.get(), *of, open_file(apk).get(), calm);
    if (!found)
      CAF_FAIL(found.why().what);
    return *found;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(idsig_tree_tests, fixture)

CAF_TEST(trees of every shape are sound) {
  constexpr std::uint64_t block = 4096, level = 128 * block;
  for (auto size : {std::uint64_t{0}, std::uint64_t{1}, block, block + 1, level, level + 1,
                    5 * level + 7, 128 * level, 128 * level + 1, std::uint64_t{70'000'000}})
    CAF_CHECK_EQUAL(problems(make(size)), "");
  CAF_CHECK_EQUAL(problems(make(5 * level + 7, "salt")), "");
}

CAF_TEST(every changed byte is found and placed) {
  auto bytes = make(70'000'000);
  // Levels of 134, 2 and 1 blocks, the highest first.
  auto tree = bytes.size() - 137 * 4096;
  auto changed = [&](std::size_t at) {
    auto copy = bytes;
    copy[tree + at] ^= 1;
    return problems(copy);
  };
  auto place = [](int level, int block, const std::string& above) {
    return "its tree's level " + std::to_string(level) + ", block " + std::to_string(block)
           + ": is not what " + above + " states";
  };
  CAF_CHECK_EQUAL(changed(3 * 4096), place(1, 0, "level 2"));
  CAF_CHECK_EQUAL(changed(137 * 4096 - 1), place(1, 133, "level 2"));
  CAF_CHECK_EQUAL(changed(2 * 4096), place(1, 128, "level 2") + "; " + place(2, 1, "level 3"));
  CAF_CHECK_EQUAL(changed(0), place(2, 0, "level 3") + "; " + place(3, 0, "the root hash"));
  CAF_CHECK_EQUAL(changed(4095), "its tree's level 3, block 0: does not end in zeros; "
                                   + place(3, 0, "the root hash"));
  bytes[4 + 4 + 4 + 1 + 4 + 4] ^= 1;
  CAF_CHECK_EQUAL(problems(bytes), place(3, 0, "the root hash"));
}

CAF_TEST(a tree of no possible size and of too many problems are told) {
  // Of 129 blocks there is none with 2 and 128: 128 and 1 are.
  auto bytes = make(70'000'000);
  auto head = bytes.substr(0, bytes.size() - 137 * 4096);
  auto with = [&](std::uint32_t blocks, char fill) {
    auto parsed = parse_idsig(head + std::string(137 * 4096, '\0'), bytes.size());
    CAF_REQUIRE(static_cast<bool>(parsed));
    parsed->tree_bytes = blocks * 4096;
    return problems(serialize(*parsed) + std::string(blocks * 4096, fill));
  };
  CAF_CHECK_EQUAL(with(2, 'x'), "its tree has 2 blocks, which no file's tree has");
  CAF_CHECK_EQUAL(with(130, 'x'), "its tree has 130 blocks, which no file's tree has");
  auto many = with(137, 'x');
  CAF_CHECK_EQUAL(std::count(many.begin(), many.end(), ';'), 15);
}

CAF_TEST(an idsig that becomes shorter is a failure) {
  auto path = dir.write("a.idsig", make(700'000));
  auto fd = open_file(path);
  auto of = read_idsig(fd.get());
  CAF_REQUIRE(static_cast<bool>(of));
  std::filesystem::resize_file(path, 5000);
  auto found = find_tree_problems(fd.get(), *of);
  CAF_REQUIRE(!found);
  CAF_CHECK_EQUAL(found.why().code, 0);
  CAF_CHECK_EQUAL(found.why().what, "has become shorter while it was read");
}

CAF_TEST(an APK is held against root hash and tree and digest) {
  auto bytes = make(700'000);
  auto fits = match(bytes, dir / "a.apk");
  CAF_CHECK(fits.tree);
  CAF_CHECK(fits.digest == std::optional{true});
  CAF_CHECK_EQUAL(joined(fits.problems), "");
  CAF_CHECK(match(make(700'000, "salt"), dir / "a.apk").tree);
  auto last = bytes;
  last.back() ^= 1;
  auto differs = match(last, dir / "a.apk");
  CAF_CHECK(!differs.tree);
  CAF_CHECK_EQUAL(joined(differs.problems),
                  "its tree differs from that of the APK, first in byte 12287");
  auto parsed = parse_idsig(bytes, bytes.size());
  CAF_REQUIRE(static_cast<bool>(parsed));
  parsed->signing.apk_digest = "other";
  auto other = match(serialize(*parsed) + bytes.substr(bytes.size() - 12288), dir / "a.apk");
  CAF_CHECK(other.tree && other.digest == std::optional{false});
  CAF_CHECK_EQUAL(joined(other.problems), "its apk_digest is not that of the APK's signature");
}

CAF_TEST(an APK that is no file or too large is refused) {
  auto bytes = make(700'000);
  auto fd = open_file(dir.write("a.idsig", bytes));
  auto of = read_idsig(fd.get());
  CAF_REQUIRE(static_cast<bool>(of));
  auto large = dir.write("large", "");
  std::filesystem::resize_file(large, (std::uint64_t{1} << 32) + 1);
  for (const auto& path : {large, std::string{"/dev/null"}}) {
    auto refused = compare_with_apk(fd.get(), *of, open_file(path).get(), calm);
    CAF_REQUIRE(!refused);
    CAF_CHECK_EQUAL(refused.why().code, 0);
    CAF_CHECK_EQUAL(refused.why().what, "the APK is no regular file of at most 4 GiB");
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
