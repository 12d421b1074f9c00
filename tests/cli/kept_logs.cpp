// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/kept_logs.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <filesystem>

#undef CAF_SUITE
#define CAF_SUITE cli.kept_logs

using namespace crosvisor;
using namespace crosvisor::cli;
namespace fs = std::filesystem;

namespace {

struct fixture {
  /// A folder of logs, `age` seconds old.
  void keep(const std::string& name, int age) const {
    fs::path folder = state / ("logs/" + name);
    fs::create_directories(folder);
    fs::last_write_time(folder, fs::file_time_type::clock::now() - std::chrono::seconds{age});
  }

  std::string listed() const {
    std::string words;
    for (const auto& vm : list_kept_vms(state.path()))
      words += std::to_string(vm.cid) + ':' + vm.name + ' ';
    return words;
  }

  tests::temp_dir state;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(kept_logs_tests, fixture)

CAF_TEST(VMs are listed by the age of their logs) {
  CAF_CHECK_EQUAL(listed(), "");
  keep("2048-demo", 30);
  keep("2050-demo", 10);
  keep("2049-my-vm", 20);
  keep("2049-other", 5);
  keep("stray", 1);
  CAF_CHECK_EQUAL(listed(), "2048:demo 2049:my-vm 2050:demo 2049:other ");
}

CAF_TEST(a folder is named by CID and name) {
  CAF_CHECK_EQUAL(log_folder("/state", 2048, "demo"), "/state/logs/2048-demo");
}

CAF_TEST_FIXTURE_SCOPE_END()
