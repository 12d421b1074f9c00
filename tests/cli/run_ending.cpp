// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/run_ending.hpp"

#include "crosvisor/tests/cli/fake_connection.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <filesystem>

#undef CAF_SUITE
#define CAF_SUITE cli.run_ending

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace crosvisor::tests;

namespace {

using strings = std::vector<std::string>;

struct fixture {
  fixture() {
    options.subject = "demo.json";
    how.vm = sample_vm();
  }

  void dies(death_reason reason) {
    how.death = sample_event(vm_event_kind::dead, 9);
    how.death->reason = reason;
  }

  /// The logs have one piece each, and the guest no console where it said nothing.
  strings lines(const std::string& state_dir = "") {
    return ending_lines(
      how, options,
      [this](const log_query& query) -> answer<log_piece> {
        ++asked;
        log_piece piece;
        if (query.position.offset == 0)
          piece.bytes = query.log == log_kind::console ? console : "vmm says\n";
        piece.next.offset = 1;
        return piece;
      },
      state_dir);
  }

  run_outcome how;
  run_options options;
  std::string console = "one\ntwo\n";
  int asked = 0;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(run_ending_tests, fixture)

CAF_TEST(of a good end nothing is told and no log read) {
  dies(death_reason::shutdown);
  CAF_CHECK_EQUAL(lines(), strings{});
  CAF_CHECK_EQUAL(asked, 0);
}

CAF_TEST(an error is about what was to be run) {
  how.error = "kernel: no kernel\x1b";
  CAF_CHECK_EQUAL(lines(), strings{"crosvisor: demo.json: kernel: no kernel\\x1b"});
}

CAF_TEST(a lost connection is not ) {
  how.error = "lost the connection to unix:/run/d.sock";
  how.lost = true;
  CAF_CHECK_EQUAL(lines(), strings{"crosvisor: lost the connection to unix:/run/d.sock"});
}

CAF_TEST(a bad end is told with the last lines of the logs) {
  dies(death_reason::crash);
  CAF_CHECK_EQUAL(lines(),
                  (strings{"crosvisor: the last lines of its console:", "  | one", "  | two",
                           "crosvisor: the last lines of its vmm:", "  | vmm says",
                           "crosvisor: for all that was kept see `crosvisor logs 2048`"}));
}

CAF_TEST(a console of its own is not looked for in what was kept) {
  dies(death_reason::crash);
  options.console = "c.txt";
  console = "";
  CAF_CHECK_EQUAL(lines(), (strings{"crosvisor: the last lines of its vmm:", "  | vmm says"}));
}

CAF_TEST(a service of this process says in which folder they are) {
  dies(death_reason::crash);
  console = "";
  temp_dir state;
  auto without = lines(state.path());
  CAF_CHECK_EQUAL(without.back(), "  | vmm says");
  std::filesystem::create_directories(state / "logs/2048-demo");
  auto with = lines(state.path());
  CAF_CHECK_EQUAL(with.back(), "crosvisor: all that was kept is in " + state.path()
                                 + "/logs/2048-demo; see `crosvisor logs 2048`");
}

CAF_TEST_FIXTURE_SCOPE_END()
