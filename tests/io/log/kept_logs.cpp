// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/kept_logs.hpp"

#include "crosvisor/io/folder_lock.hpp"
#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <filesystem>

#undef CAF_SUITE
#define CAF_SUITE io.log.kept_logs

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
namespace fs = std::filesystem;

namespace {

struct fixture {
  temp_dir state;

  /// A folder of logs, `age` seconds old.
  void keep(const std::string& name, int age) {
    fs::create_directories(state / ("logs/" + name));
    fs::last_write_time(state / ("logs/" + name),
                        fs::file_time_type::clock::now() - std::chrono::seconds{age});
  }

  std::string found(const std::string& wanted) {
    auto vm = find_logged_vm(list_logged_vms(state.path()), wanted);
    return vm ? vm->folder.substr(state.path().size()) : "(none)";
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(kept_logs_tests, fixture)

CAF_TEST(the newest VM of a name or CID is found) {
  CAF_CHECK_EQUAL(found("demo"), "(none)");
  keep("2048-demo", 30);
  keep("2050-demo", 10);
  keep("2049-my-vm", 20);
  keep("2049-other", 5);
  CAF_CHECK_EQUAL(found("demo"), "/logs/2050-demo");
  CAF_CHECK_EQUAL(found("2048"), "/logs/2048-demo");
  CAF_CHECK_EQUAL(found("my-vm"), "/logs/2049-my-vm");
  CAF_CHECK_EQUAL(found("2049"), "/logs/2049-other");
  CAF_CHECK_EQUAL(found("vm"), "(none)");
}

CAF_TEST(what is no folder of a VM is passed over) {
  for (auto name : {"stray", "2048", "-demo", "2048-", "02048-zero", "99999999999-big", "2048-a b",
                    "2048-.hidden", "2049-1up"})
    keep(name, 1);
  state.write("logs/2050-file", "x");
  fs::create_directory_symlink("/tmp", state / "logs/2051-link");
  CAF_CHECK(list_logged_vms(state.path()).empty());
  CAF_CHECK(list_logged_vms("/nonexistent").empty());
}

CAF_TEST(what asks for a path finds nothing) {
  keep("2048-demo", 1);
  fs::create_directories(state / "secret");
  for (auto wanted : {"", ".", "..", "../secret", "/etc", "2048-demo", "2048-demo/", "02048",
                      "+2048", "2048 ", "demo\n"})
    CAF_CHECK_EQUAL(found(wanted), "(none)");
}

CAF_TEST(a folder that became a symlink is not followed) {
  keep("2048-demo", 1);
  auto vm = find_logged_vm(list_logged_vms(state.path()), "demo");
  CAF_REQUIRE(vm);
  CAF_CHECK(open_log_folder(*vm));
  fs::remove(vm->folder);
  fs::create_directory_symlink("/tmp", vm->folder);
  auto opened = open_log_folder(*vm);
  CAF_REQUIRE(!opened);
  CAF_CHECK_EQUAL(opened.why().code, ENOTDIR); // As open(2) with O_DIRECTORY says of a symlink.
}

CAF_TEST(a VM lives as long as its folder is locked) {
  auto store = log_store::open(state.path(), 10);
  CAF_REQUIRE(store);
  auto made = (*store)->make(2048, "demo");
  CAF_REQUIRE(made);
  auto vm = find_logged_vm(list_logged_vms(state.path()), "demo");
  CAF_REQUIRE(vm);
  CAF_CHECK_EQUAL(vm->cid, 2048u);
  auto folder = open_log_folder(*vm);
  CAF_REQUIRE(folder);
  CAF_CHECK(is_folder_locked(folder->get()));
  made->fd = nullptr;
  CAF_CHECK(!is_folder_locked(folder->get()));
  CAF_CHECK((*store)->make(2048, "demo"));
}

CAF_TEST_FIXTURE_SCOPE_END()
