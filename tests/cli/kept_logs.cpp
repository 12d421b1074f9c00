// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/kept_logs.hpp"

#include <caf/test/dsl.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#undef CAF_SUITE
#define CAF_SUITE cli.kept_logs

using namespace crosvisor;
using namespace crosvisor::cli;
namespace fs = std::filesystem;

namespace {

using strings = std::vector<std::string>;

struct fixture {
  fixture() {
    std::string pattern = fs::temp_directory_path() / "crosvisor-test-XXXXXX";
    state = ::mkdtemp(pattern.data());
  }

  ~fixture() { fs::remove_all(state); }

  /// A folder of logs, `age` seconds old.
  void keep(const std::string& name, int age, const std::string& console = "") {
    auto folder = state / "logs" / name;
    fs::create_directories(folder);
    if (!console.empty())
      std::ofstream{folder / "console.log"} << console;
    fs::last_write_time(folder, fs::file_time_type::clock::now() - std::chrono::seconds{age});
  }

  strings lines(const std::string& console, std::size_t count = 3) {
    keep("2048-demo", 0, console);
    return last_lines(log_folder(state, 2048, "demo"), "console", count);
  }

  fs::path state;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(kept_logs_tests, fixture)

CAF_TEST(the last lines are shown in their order) {
  CAF_CHECK_EQUAL(lines("one\r\ntwo\nthree\n\nfour\n"), (strings{"two", "three", "four"}));
  CAF_CHECK_EQUAL(lines("one\ntwo"), (strings{"one", "two"}));
  CAF_CHECK_EQUAL(lines("\n\n"), strings{});
  CAF_CHECK_EQUAL(lines("a\x1b[2Jb\n"), (strings{"a\\x1b[2Jb"}));
}

CAF_TEST(of a long log only the end is looked at) {
  CAF_CHECK_EQUAL(lines(std::string(1u << 20, 'x') + "\nlast\n", 1), strings{"last"});
  CAF_CHECK_EQUAL(lines(std::string(1000, 'x'), 1), strings{std::string(160, 'x') + "..."});
}

CAF_TEST(a log that is not there has no lines) {
  CAF_CHECK_EQUAL(last_lines("/nonexistent", "console", 3), strings{});
}

CAF_TEST_FIXTURE_SCOPE_END()
