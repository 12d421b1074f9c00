// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/merkle_tree.hpp"

#include "crosvisor/tests/io/apk/judges.hpp"
#include "crosvisor/tests/io/leftovers.hpp"

#include <csignal>
#include <fstream>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE io.apk.merkle_tree

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr std::uint64_t mib = 1u << 20;

merkle_tree build(const std::string& path, std::string_view salt = {}) {
  auto fd = open_file(path);
  auto built = build_merkle_tree(fd.get(), std::filesystem::file_size(path), salt, job_control{});
  CAF_REQUIRE(static_cast<bool>(built));
  return *built;
}

/// Threads of this process, with the signals that each has blocked.
std::map<std::string, std::uint64_t> blocked_by_thread() {
  std::map<std::string, std::uint64_t> found;
  for (auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::ifstream status{task.path() / "status"};
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("SigBlk:"))
        found[task.path().filename()] = std::stoull(line.substr(7), nullptr, 16);
  }
  return found;
}

/// Whether there are no threads but these.
bool are_among(const std::map<std::string, std::uint64_t>& all) {
  auto now = blocked_by_thread();
  return std::all_of(now.begin(), now.end(),
                     [&](const auto& thread) { return all.count(thread.first) == 1; });
}

/// The kernel lists a thread for a moment after it was joined.
bool none_but(const std::map<std::string, std::uint64_t>& threads) {
  auto end = std::chrono::steady_clock::now() + patience;
  while (!are_among(threads) && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  return are_among(threads);
}

struct fixture {
  temp_dir folder;

  /// Holds the tree of a file against two programs.
  void judge(std::uint64_t size) {
    auto path = make_file(folder, "file", size);
    auto tree = build(path);
    CAF_MESSAGE(size << " bytes");
    CAF_CHECK_EQUAL(tree.levels.size(), merkle_tree_bytes(size));
    must(folder, "fsverity digest --hash-alg=sha256 --block-size=4096 --out-merkle-tree=tree"
                 " --out-descriptor=descriptor file");
    CAF_CHECK(read_file(folder / "tree") == tree.levels);
    // fs-verity has no hash of an empty file.
    if (size > 0)
      CAF_CHECK_EQUAL(to_hex(read_file(folder / "descriptor").substr(16, 32)), to_hex(tree.root));
    if (!tree.levels.empty())
      CAF_CHECK(is_dm_verity(to_hex(tree.root)));
  }

  /// The kernel's other way; it wants whole blocks, and more than one.
  bool is_dm_verity(const std::string& root) {
    must(folder, "truncate -s %4096 file");
    auto said =
      shell(folder, "veritysetup verify --no-superblock --hash=sha256 --data-block-size=4096"
                    " --hash-block-size=4096 --salt=- --format=1 file tree "
                      + root);
    // 2 is its word for a hash that is another; anything else is no verdict.
    if (said.exit_code != 0 && said.exit_code != 2)
      CAF_FAIL("veritysetup: exit code " << said.exit_code << ": " << said.out);
    return said.exit_code == 0;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(merkle_tree_tests, fixture)

CAF_TEST(a tree is as long as its levels) {
  CAF_CHECK_EQUAL(merkle_tree_bytes(0), 0u);
  CAF_CHECK_EQUAL(merkle_tree_bytes(4096), 0u);
  CAF_CHECK_EQUAL(merkle_tree_bytes(4097), 4096u);
  CAF_CHECK_EQUAL(merkle_tree_bytes(128 * 4096), 4096u);
  CAF_CHECK_EQUAL(merkle_tree_bytes(128 * 4096 + 1), 3 * 4096u);
  CAF_CHECK_EQUAL(merkle_tree_bytes(64 * mib), 129 * 4096u);
  CAF_CHECK_EQUAL(merkle_tree_bytes(64 * mib + 1), (129 + 2 + 1) * 4096u);
  CAF_CHECK_EQUAL(merkle_tree_bytes(std::uint64_t{1} << 62), 36'312'488'334'077'952u);
}

CAF_TEST(an empty file has the hash of a block of zeros) {
  auto tree = build(folder.write("file", ""));
  CAF_CHECK_EQUAL(to_hex(tree.root),
                  "ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7");
  CAF_CHECK_EQUAL(tree.levels, "");
  CAF_CHECK(build(folder.write("file", std::string(4096, '\0'))).root == tree.root);
}

CAF_TEST(fsverity and veritysetup have the same tree) {
  for (auto size : {0, 1, 4095, 4096, 4097, 128 * 4096 - 1, 128 * 4096, 128 * 4096 + 1})
    judge(static_cast<std::uint64_t>(size));
}

CAF_TEST(fsverity and veritysetup have the same tree of three levels) {
  for (auto size : {64 * mib - 1, 64 * mib, 64 * mib + 1, std::uint64_t{70'000'000}})
    judge(size);
}

CAF_TEST(veritysetup sees a changed byte) {
  auto tree = build(make_file(folder, "file", 3 * 4096));
  folder.write("tree", tree.levels);
  CAF_CHECK(is_dm_verity(to_hex(tree.root)));
  must(folder, "printf x | dd of=file bs=1 seek=5000 conv=notrunc");
  CAF_CHECK(!is_dm_verity(to_hex(tree.root)));
}

CAF_TEST(a salt is hashed before each block) {
  auto path = make_file(folder, "file", 5 * mib);
  const auto* salt = "\x01\x23\x45\x67\x89";
  auto tree = build(path, salt);
  must(folder, "fsverity digest --salt=0123456789 --out-merkle-tree=tree"
               " --out-descriptor=descriptor file");
  CAF_CHECK(read_file(folder / "tree") == tree.levels);
  CAF_CHECK_EQUAL(to_hex(read_file(folder / "descriptor").substr(16, 32)), to_hex(tree.root));
  CAF_CHECK(build(path).root != tree.root);
  auto refused = build_merkle_tree(open_file(path).get(), 5 * mib, std::string(33, 's'), {});
  CAF_REQUIRE(!refused);
  CAF_CHECK_EQUAL(refused.why().what, "the salt has 33 bytes; at most 32 are allowed");
}

CAF_TEST(a file of another size is refused) {
  auto path = make_file(folder, "file", 2 * mib);
  auto fd = open_file(path);
  for (auto size : {2 * mib - 1, 2 * mib + 1, std::uint64_t{0}, 9 * mib}) {
    auto built = build_merkle_tree(fd.get(), size, {}, job_control{});
    CAF_REQUIRE(!built);
    CAF_CHECK_EQUAL(built.why().code, 0);
    CAF_CHECK(has(built.why().what, "has changed its size of " + std::to_string(size) + " bytes"));
  }
}

CAF_TEST(a file that changes its size meanwhile is refused) {
  for (auto size : {mib, 3 * mib}) {
    auto path = make_file(folder, "file", 2 * mib);
    job_control control{
      [&](std::uint64_t, std::uint64_t) { std::filesystem::resize_file(path, size); }};
    auto built = build_merkle_tree(open_file(path).get(), 2 * mib, {}, control);
    CAF_REQUIRE(!built);
    CAF_CHECK(has(built.why().what, "has changed its size of 2097152 bytes"));
  }
}

CAF_TEST(progress comes on the calling thread from nothing to the whole) {
  auto path = make_file(folder, "file", 70 * mib);
  auto caller = std::this_thread::get_id();
  std::vector<std::uint64_t> seen;
  job_control control{[&](std::uint64_t done, std::uint64_t total) {
    CAF_CHECK(std::this_thread::get_id() == caller);
    CAF_CHECK_EQUAL(total, 70 * mib);
    seen.push_back(done);
  }};
  CAF_CHECK(static_cast<bool>(build_merkle_tree(open_file(path).get(), 70 * mib, {}, control)));
  CAF_REQUIRE(seen.size() >= 2);
  CAF_CHECK(std::is_sorted(seen.begin(), seen.end()));
  CAF_CHECK_EQUAL(seen.front(), 0u);
  CAF_CHECK_EQUAL(seen.back(), 70 * mib);
}

CAF_TEST(a job that is cancelled midway ends soon with its threads) {
  auto path = make_file(folder, "file", 4096 * mib);
  auto fd = open_file(path);
  holdings before;
  auto threads = blocked_by_thread();
  std::map<std::string, std::uint64_t> meanwhile;
  auto reports = 0;
  job_control* self = nullptr;
  job_control control{[&](std::uint64_t done, std::uint64_t) {
    ++reports;
    if (done == 0)
      return;
    meanwhile = blocked_by_thread();
    self->cancel();
  }};
  self = &control;
  auto built = build_merkle_tree(fd.get(), 4096 * mib, {}, control);
  CAF_REQUIRE(!built);
  CAF_CHECK_EQUAL(built.why().code, ECANCELED);
  CAF_CHECK_EQUAL(reports, 2);
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  CAF_CHECK(none_but(threads));
  for (auto& [thread, blocked] : meanwhile)
    if (threads.count(thread) == 0)
      CAF_CHECK((blocked & (1u << (SIGTERM - 1))) != 0);
  if (meanwhile.size() == threads.size())
    CAF_MESSAGE("skipped: with one processor there are no more threads");
}

CAF_TEST(a job that was cancelled before it began fails) {
  job_control control;
  control.cancel();
  auto built = build_merkle_tree(open_file(folder.write("file", "x")).get(), 1, {}, control);
  CAF_REQUIRE(!built);
  CAF_CHECK_EQUAL(built.why().code, ECANCELED);
}

CAF_TEST(what cannot be read is the failure) {
  auto built = build_merkle_tree(open_file("/").get(), 10, {}, job_control{});
  CAF_REQUIRE(!built);
  CAF_CHECK_EQUAL(built.why().code, EISDIR);
  CAF_CHECK(has(built.why().what, "can't be read"));
}

CAF_TEST_FIXTURE_SCOPE_END()
