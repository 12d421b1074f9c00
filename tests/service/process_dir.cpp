// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/process_dir.hpp"

#include "crosvisor/service/shared_cids.hpp"
#include "crosvisor/tests/fakes/fake_backend.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#undef CAF_SUITE
#define CAF_SUITE service.process_dir

using namespace crosvisor;
namespace fs = std::filesystem;

namespace {

struct fixture {
  fixture() {
    std::string pattern = fs::temp_directory_path() / "crosvisor-test-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    parent = folder / "runtime";
  }

  ~fixture() { fs::remove_all(folder); }

  process_dir make() {
    auto made = process_dir::make(parent.string());
    if (!made)
      CAF_FAIL(made.why().what);
    return std::move(*made);
  }

  /// A claimer as another process would have it.
  std::shared_ptr<io::cid_claimer> claimer(int directory) {
    auto made = shared_cids::make(directory, inner);
    if (!made)
      CAF_FAIL(made.why().what);
    return *made;
  }

  fs::path folder;
  fs::path parent;
  std::shared_ptr<tests::fake_claimer> inner = std::make_shared<tests::fake_claimer>();
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(process_dir_tests, fixture)

CAF_TEST(a folder is private and goes with its owner) {
  std::string path;
  {
    auto mine = make();
    path = mine.path();
    CAF_CHECK_EQUAL(path, (parent / ("run-" + std::to_string(::getpid()))).string());
    struct stat info {};
    CAF_REQUIRE_EQUAL(::stat(path.c_str(), &info), 0);
    CAF_CHECK_EQUAL(info.st_mode & 07777u, 0700u);
    std::ofstream{path + "/left over"} << "x";
  }
  CAF_CHECK(!fs::exists(path));
}

CAF_TEST(folders of the living are left alone and those of the dead are removed) {
  auto mine = make();
  fs::create_directories(parent / "run-1/vm");
  std::ofstream{parent / "run-1/vm/file"} << "x";
  fs::create_directories(parent / "other");
  auto second = make();
  CAF_CHECK(fs::exists(mine.path()));
  CAF_CHECK_EQUAL(second.path(), mine.path() + "-2");
  CAF_CHECK(!fs::exists(parent / "run-1"));
  CAF_CHECK(fs::exists(parent / "other"));
}

CAF_TEST(a symlink in the place of a folder is not followed) {
  fs::create_directories(folder / "precious/file");
  fs::create_directories(parent);
  fs::permissions(parent, fs::perms::owner_all);
  fs::create_directory_symlink(folder / "precious", parent / "run-1");
  auto mine = make();
  CAF_CHECK(fs::exists(folder / "precious/file"));
}

CAF_TEST(a runtime directory that others can write is refused) {
  fs::create_directories(parent);
  fs::permissions(parent, fs::perms::all);
  auto made = process_dir::make(parent.string());
  CAF_REQUIRE(!made);
  CAF_CHECK(made.why().what.find("can be written by others") != std::string::npos);
}

CAF_TEST(one of two claimers gets a CID) {
  auto mine = make();
  auto one = claimer(mine.parent()), other = claimer(mine.parent());
  auto first = one->claim_cid(2048);
  CAF_REQUIRE(static_cast<bool>(first));
  CAF_CHECK(!first->taken);
  CAF_CHECK(other->claim_cid(2048)->taken);
  CAF_CHECK(!other->claim_cid(2049)->taken);
  first->descriptor.reset();
  CAF_CHECK(!other->claim_cid(2048)->taken);
}

CAF_TEST(a CID that the kernel knows as taken is not kept) {
  inner->taken.insert(2048);
  auto mine = make();
  auto one = claimer(mine.parent());
  CAF_CHECK(one->claim_cid(2048)->taken);
  inner->taken.clear();
  CAF_CHECK(!claimer(mine.parent())->claim_cid(2048)->taken);
}

CAF_TEST(a CID that a keeper has a record of is taken) {
  auto mine = make();
  auto state = (folder / "state").string();
  fs::create_directories(state + "/keepers/2048");
  auto made = shared_cids::make(mine.parent(), inner, state);
  CAF_REQUIRE(made);
  CAF_CHECK((*made)->claim_cid(2048)->taken);
  CAF_CHECK(!(*made)->claim_cid(2049)->taken);
  CAF_CHECK(!claimer(mine.parent())->claim_cid(2048)->taken); // Of whoever has the keepers.
}

CAF_TEST(the death of a process frees its CIDs) {
  auto mine = make();
  int ready[2], go[2];
  CAF_REQUIRE(::pipe(ready) == 0 && ::pipe(go) == 0);
  auto child = ::fork();
  if (child == 0) {
    auto held = shared_cids{io::unique_fd{::dup(mine.parent())}, inner}.claim_cid(2048);
    char byte = held && !held->taken ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1 || ::read(go[0], &byte, 1) != 1)
      ::_exit(1);
    ::_exit(0);
  }
  char byte = 0;
  CAF_REQUIRE_EQUAL(::read(ready[0], &byte, 1), 1);
  CAF_CHECK_EQUAL(byte, 'y');
  auto one = claimer(mine.parent());
  CAF_CHECK(one->claim_cid(2048)->taken);
  CAF_REQUIRE_EQUAL(::write(go[1], "x", 1), 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  CAF_CHECK(!one->claim_cid(2048)->taken);
  for (auto fd : {ready[0], ready[1], go[0], go[1]})
    ::close(fd);
}

CAF_TEST_FIXTURE_SCOPE_END()
