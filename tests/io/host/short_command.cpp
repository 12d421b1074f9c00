// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/host/short_command.hpp"

#include "crosvisor/tests/io/leftovers.hpp"

#include <caf/test/dsl.hpp>

#include <csignal>
#include <optional>

#undef CAF_SUITE
#define CAF_SUITE io.host.short_command

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture {
  holdings before;
  std::optional<event_loop> loop{std::in_place, "test-loop"};
  std::optional<worker_pool> workers{std::in_place, 2};

  ~fixture() {
    workers.reset();
    loop.reset();
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }

  static short_command shell(const std::string& script, std::chrono::milliseconds timeout = 10s) {
    return {"/bin/sh", {"-c", script}, timeout, 64u << 10};
  }

  command_output run(short_command command) {
    auto ran = wait_for_command(*loop, *workers, std::move(command));
    CAF_REQUIRE(ran);
    return *std::move(ran);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(short_command_tests, fixture)

CAF_TEST(what it prints is taken apart and its code with it) {
  auto ran = run(shell("echo out; echo err >&2; exit 7"));
  CAF_CHECK_EQUAL(ran.out, "out\n");
  CAF_CHECK_EQUAL(ran.err, "err\n");
  CAF_CHECK(ran.status.kind == exit_kind::code);
  CAF_CHECK_EQUAL(ran.status.value, 7);
  CAF_CHECK(!ran.timed_out);
  CAF_CHECK(!ran.flooded);
}

CAF_TEST(the path of the program is its first argument) {
  CAF_CHECK_EQUAL(run(shell("echo $0")).out, "/bin/sh\n");
}

CAF_TEST(a program that hangs is killed when its time is up) {
  auto ran = run(shell("echo begun; exec sleep 1000", 100ms));
  CAF_CHECK(ran.timed_out);
  CAF_CHECK(ran.status.kind == exit_kind::signal);
  CAF_CHECK_EQUAL(ran.status.value, 9);
}

CAF_TEST(a program that prints without end is killed) {
  auto ran = run(shell("exec yes"));
  CAF_CHECK(ran.flooded);
  CAF_CHECK(!ran.timed_out);
  CAF_CHECK(ran.out.size() <= (64u << 10) + 4096);
}

CAF_TEST(a grandchild that keeps the pipes does not keep us) {
  auto ran = run(shell("sleep 3 & exit 3", 200ms));
  CAF_CHECK_EQUAL(ran.status.value, 3);
  CAF_CHECK(!ran.timed_out);
}

CAF_TEST(a program that is not there is an error) {
  auto ran = wait_for_command(*loop, *workers, {"/nonexistent/program", {}});
  CAF_REQUIRE(!ran);
  CAF_CHECK_EQUAL(ran.why().code, ENOENT);
}

CAF_TEST(a cancelled command is answered for) {
  mailbox<std::string> answers;
  auto running = run_short_command(*loop, *workers, shell("exec sleep 1000", 15s),
                                   [&](auto ran) { answers.put(ran ? "ended" : "failed"); });
  running->cancel();
  CAF_CHECK_EQUAL(answers.wait(1).size(), 1u);
}

CAF_TEST(no descriptor left is an error and nothing stays behind) {
  descriptor_limit limit{1};
  auto ran = wait_for_command(*loop, *workers, shell("true"));
  CAF_REQUIRE(!ran);
  CAF_CHECK_EQUAL(ran.why().code, EMFILE);
}

CAF_TEST(lines are picked and made fit to be shown) {
  CAF_CHECK_EQUAL(first_line("\n  \nfirst\nsecond\n"), "first");
  CAF_CHECK_EQUAL(first_line(""), "");
  CAF_CHECK_EQUAL(first_line("\n\n"), "");
  CAF_CHECK_EQUAL(last_line("first\nlast\x1b\n\n"), "last\\x1b");
  CAF_CHECK_EQUAL(last_line("only"), "only");
  CAF_CHECK_EQUAL(last_line(" \n"), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
