// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/state_lines.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE cli.state_lines

using namespace crosvisor;
using namespace crosvisor::cli;

namespace {

vm_event event(vm_event_kind kind, std::int64_t time_ms, std::string detail = "") {
  vm_event result;
  result.time_ms = time_ms;
  result.cid = 2048;
  result.kind = kind;
  result.detail = std::move(detail);
  return result;
}

vm_event death(death_reason reason, std::int64_t time_ms, std::string detail = "") {
  auto result = event(vm_event_kind::dead, time_ms, std::move(detail));
  result.reason = reason;
  return result;
}

struct fixture {
  std::string next(const vm_event& what) { return lines.next(what).value_or("(none)"); }

  state_lines lines{term{}};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(state_lines_tests, fixture)

CAF_TEST(a good run reads like a list) {
  using enum vm_event_kind;
  CAF_CHECK_EQUAL(next(event(created, 900)), "(none)");
  CAF_CHECK_EQUAL(next(event(starting, 1000, "qemu, tcg, 1 cpu, 128 MiB")),
                  "vm 2048 starting   qemu, tcg, 1 cpu, 128 MiB");
  CAF_CHECK_EQUAL(next(event(started, 1310)), "vm 2048 started    0.31 s");
  CAF_CHECK_EQUAL(next(event(ready, 2580)), "vm 2048 ready      1.58 s");
  CAF_CHECK_EQUAL(next(event(suspended, 2600)), "vm 2048 suspended");
  CAF_CHECK_EQUAL(next(event(resumed, 2610)), "vm 2048 resumed");
  CAF_CHECK_EQUAL(next(event(finished, 2620, "exit 0")), "vm 2048 finished   exit 0");
  CAF_CHECK_EQUAL(next(event(stopping, 2630, "power button")), "vm 2048 stopping   power button");
  CAF_CHECK_EQUAL(next(death(death_reason::shutdown, 2710, "the guest powered off")),
                  "vm 2048 dead: shutdown   1.71 s");
}

CAF_TEST(an error of the payload says which and why) {
  auto failed = event(vm_event_kind::payload_error, 0, "no signature");
  failed.payload.error = payload_error::payload_verification_failed;
  CAF_CHECK_EQUAL(next(failed),
                  "vm 2048 payload error   payload_verification_failed: no signature");
  failed.detail.clear();
  CAF_CHECK_EQUAL(next(failed), "vm 2048 payload error   payload_verification_failed");
  CAF_CHECK_EQUAL(next(event(vm_event_kind::payload_started, 0)), "(none)");
}

CAF_TEST(a bad end says why) {
  next(event(vm_event_kind::starting, 1000));
  CAF_CHECK_EQUAL(next(death(death_reason::crash, 1500, "the guest's kernel panicked")),
                  "vm 2048 dead: crash   0.50 s   the guest's kernel panicked");
  CAF_CHECK_EQUAL(next(death(death_reason::killed, 76000, "SIGKILL")),
                  "vm 2048 dead: killed   75.00 s   SIGKILL");
}

CAF_TEST(a VM that never started took no time) {
  CAF_CHECK_EQUAL(next(death(death_reason::killed, 1700000000000)),
                  "vm 2048 dead: killed   0.00 s");
}

CAF_TEST(what a guest says steers no terminal) {
  CAF_CHECK_EQUAL(next(death(death_reason::crash, 0, "\x1b[2Jgone\nvm 1 dead")),
                  "vm 2048 dead: crash   0.00 s   \\x1b[2Jgone\\x0avm 1 dead");
}

CAF_TEST(colours mark the words that count) {
  lines = state_lines{term{true}};
  CAF_CHECK_EQUAL(next(event(vm_event_kind::starting, 0)), "vm 2048 starting");
  CAF_CHECK_EQUAL(next(event(vm_event_kind::started, 10)),
                  "vm 2048 \x1b[32mstarted\x1b[0m    0.01 s");
  CAF_CHECK_EQUAL(next(death(death_reason::crash, 20)),
                  "vm 2048 \x1b[31mdead: crash\x1b[0m   0.02 s");
}

CAF_TEST_FIXTURE_SCOPE_END()
