// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/log_store.hpp"

#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.log.log_store

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace fs = std::filesystem;

namespace {

struct fixture {
  temp_dir dir;
  std::string state = dir / "state";

  std::unique_ptr<log_store> open(std::size_t kept) {
    auto store = log_store::open(state, kept);
    CAF_REQUIRE(store);
    return std::move(*store);
  }

  void log(log_store& store, crosvisor::vm_cid cid) {
    auto made = store.make(cid, "vm");
    CAF_REQUIRE(made);
    std::ofstream{state + "/logs/" + made->name + "/console.log"} << "x";
    made->fd = nullptr;
    store.retire(made->name);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(log_store_tests, fixture)

CAF_TEST(those that died last are kept) {
  auto store = open(2);
  for (auto cid = 10u; cid < 15; ++cid)
    log(*store, cid);
  CAF_CHECK_EQUAL(names_in(state + "/logs"), "13-vm 14-vm");
}

CAF_TEST(how many are kept is told) {
  auto use = std::make_shared<log_store_use>();
  auto store = log_store::open(state, 2, use);
  CAF_REQUIRE(store);
  log(**store, 3);
  CAF_CHECK_EQUAL(use->kept.load(), 1u);
  for (crosvisor::vm_cid cid : {4, 5})
    log(**store, cid);
  CAF_CHECK_EQUAL(use->kept.load(), 2u);
  CAF_CHECK_EQUAL(use->removed.load(), 1u);
  auto living = (*store)->make(5, "vm");
  CAF_REQUIRE(living);
  CAF_CHECK_EQUAL(use->kept.load(), 1u);
}

CAF_TEST(a VM that lives keeps its logs) {
  auto store = open(1);
  auto living = store->make(9, "vm");
  CAF_REQUIRE(living);
  for (auto cid = 10u; cid < 15; ++cid)
    log(*store, cid);
  CAF_CHECK_EQUAL(names_in(state + "/logs"), "14-vm 9-vm");
}

CAF_TEST(what an earlier service left is dead) {
  log(*open(9), 10);
  log(*open(9), 11);
  CAF_CHECK_EQUAL(names_in(state + "/logs"), "10-vm 11-vm");
  open(1);
  CAF_CHECK_EQUAL(names_in(state + "/logs"), "11-vm");
}

CAF_TEST(another service that lives keeps its logs) {
  auto other = open(5);
  auto living = other->make(10, "vm");
  CAF_REQUIRE(living);
  auto store = open(0);
  CAF_CHECK_EQUAL(names_in(state + "/logs"), "10-vm");
  auto clash = store->make(10, "vm");
  CAF_REQUIRE(!clash);
  CAF_CHECK_EQUAL(clash.why().code, EBUSY);
}

CAF_TEST(logs of VMs that live under another process count for nothing) {
  auto keeper = open(log_store::keep_all);
  log(*keeper, 9);
  std::vector<crosvisor::io::log_dir> living;
  for (auto cid = 10u; cid < 14; ++cid)
    living.push_back(*keeper->make(cid, "vm"));
  auto store = open(1);
  CAF_CHECK_EQUAL(names_in(state + "/logs"), "10-vm 11-vm 12-vm 13-vm 9-vm");
  living.clear();
  store->retire("10-vm");
  CAF_CHECK_EQUAL(names_in(state + "/logs"), "10-vm 11-vm 12-vm 13-vm");
  store->retire("11-vm");
  store->retire("11-vm");
  CAF_CHECK_EQUAL(names_in(state + "/logs"), "11-vm 12-vm 13-vm");
}

CAF_TEST(a VM of the same name and CID begins with nothing) {
  auto store = open(5);
  log(*store, 10);
  auto again = store->make(10, "vm");
  CAF_REQUIRE(again);
  CAF_CHECK_EQUAL(names_in(state + "/logs/10-vm"), "");
  for (auto cid = 11u; cid < 17; ++cid)
    log(*store, cid);
  CAF_CHECK(fs::exists(state + "/logs/10-vm"));
}

CAF_TEST(a VM that never ran leaves no directory) {
  auto store = open(5);
  auto made = store->make(10, "vm");
  CAF_REQUIRE(made);
  store->discard(made->name);
  CAF_CHECK_EQUAL(names_in(state + "/logs"), "");
}

CAF_TEST(a symlink is not followed) {
  auto store = open(5);
  fs::create_directory(dir / "elsewhere");
  auto precious = dir.write("elsewhere/precious", "x");
  fs::create_symlink(dir / "elsewhere", state + "/logs/10-vm");
  CAF_CHECK(!store->make(10, "vm"));
  CAF_CHECK_EQUAL(read_file(precious), "x");
}

CAF_TEST(everything is private) {
  CAF_REQUIRE(open(5)->make(10, "vm"));
  for (auto path : {state, state + "/logs", state + "/logs/10-vm"}) {
    struct stat is;
    CAF_REQUIRE_EQUAL(::stat(path.c_str(), &is), 0);
    CAF_CHECK_EQUAL(is.st_mode & 07777, 0700u);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
