// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/file_cid_store.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.file_cid_store

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture {
  temp_dir dir;
  std::string state = dir / "state";

  std::shared_ptr<cid_store> open() {
    auto store = open_file_cid_store(state);
    CAF_REQUIRE(store);
    return *store;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(file_cid_store_tests, fixture)

CAF_TEST(a CID is remembered) {
  CAF_CHECK_EQUAL(open()->load(), no_cid);
  open()->save(65'535);
  CAF_CHECK_EQUAL(open()->load(), 65'535u);
  auto store = open();
  store->save(4'294'967'294);
  store->save(2'048);
  CAF_CHECK_EQUAL(open()->load(), 2'048u);
  CAF_CHECK_EQUAL(read_file(state + "/last_cid"), "0000002048\n");
}

CAF_TEST(the file is private) {
  open();
  struct stat is;
  CAF_REQUIRE_EQUAL(::stat((state + "/last_cid").c_str(), &is), 0);
  CAF_CHECK_EQUAL(is.st_mode & 07777, 0600u);
}

CAF_TEST(what is no CID is none) {
  open();
  for (auto text :
       {"\n", "2048\n", "0000002048", "0000002048\n\n", "000000204x\n", "-000002048\n",
        "0000000002\n", "0000000000\n", "4294967295\n", "9999999999\n", "0000002048 "}) {
    dir.write("state/last_cid", text, 0600);
    CAF_CHECK_EQUAL(open()->load(), no_cid);
  }
  open()->save(3'000);
  CAF_CHECK_EQUAL(open()->load(), 3'000u);
}

CAF_TEST(a symlink is refused) {
  open();
  auto victim = dir.write("victim", "precious");
  std::filesystem::remove(state + "/last_cid");
  std::filesystem::create_symlink(victim, state + "/last_cid");
  CAF_CHECK(!open_file_cid_store(state));
  CAF_CHECK_EQUAL(read_file(victim), "precious");
}

CAF_TEST(a FIFO is refused and not waited for) {
  open();
  std::filesystem::remove(state + "/last_cid");
  ::mkfifo((state + "/last_cid").c_str(), 0600);
  CAF_CHECK(!open_file_cid_store(state));
}

CAF_TEST_FIXTURE_SCOPE_END()
