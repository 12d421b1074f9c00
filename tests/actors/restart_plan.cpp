// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/restart_plan.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE actors.restart_plan

using namespace crosvisor;
using namespace crosvisor::actors;
using namespace std::chrono_literals;

namespace {

struct fixture {
  vm_timeouts bounds;
  restart_plan::clock::time_point now{1h};

  vmm_exit died_of(death_reason reason) { return {exit_kind::code, 1, reason, ""}; }

  payload_info finished(std::int32_t code) { return {true, true, code, false, {}}; }

  /// The wait in seconds after a life of so long; -1: given up. Then the wait passes.
  long next(restart_plan& plan, restart_plan::clock::duration life = 1s) {
    plan.begin(now);
    now += life;
    auto wait = plan.next(now);
    if (!wait)
      return -1;
    now += *wait;
    return std::chrono::duration_cast<std::chrono::seconds>(*wait).count();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(restart_plan_tests, fixture)

CAF_TEST(a shutdown is as wanted and every other end a failure) {
  for (int i = 0; i <= 17; ++i) {
    auto reason = static_cast<death_reason>(i);
    if (to_string(reason) != "invalid")
      CAF_CHECK_EQUAL(is_failure(died_of(reason), {}), reason != death_reason::shutdown);
  }
}

CAF_TEST(the word of a payload counts for more) {
  CAF_CHECK(is_failure(died_of(death_reason::shutdown), finished(1)));
  CAF_CHECK(!is_failure(died_of(death_reason::shutdown), finished(0)));
  CAF_CHECK(!is_failure(died_of(death_reason::crash), finished(0)));
  payload_info failed;
  failed.failed = true;
  CAF_CHECK(is_failure(died_of(death_reason::shutdown), failed));
}

CAF_TEST(each policy wants what it says) {
  auto shutdown = died_of(death_reason::shutdown), crash = died_of(death_reason::crash);
  CAF_CHECK(!wants_restart(restart_policy::never, crash, {}));
  CAF_CHECK(wants_restart(restart_policy::on_failure, crash, {}));
  CAF_CHECK(!wants_restart(restart_policy::on_failure, shutdown, {}));
  CAF_CHECK(wants_restart(restart_policy::always, crash, {}));
  CAF_CHECK(wants_restart(restart_policy::always, shutdown, finished(0)));
}

CAF_TEST(the wait doubles up to its bound) {
  bounds.max_restarts = 100;
  restart_plan plan{bounds};
  for (long seconds : {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300})
    CAF_CHECK_EQUAL(next(plan), seconds);
}

CAF_TEST(ten stable minutes begin the waits anew) {
  restart_plan plan{bounds};
  next(plan);
  next(plan);
  CAF_CHECK_EQUAL(next(plan, 10min - 1s), 4);
  CAF_CHECK_EQUAL(next(plan, 10min), 1);
  CAF_CHECK_EQUAL(next(plan), 2);
}

CAF_TEST(too many within the window are given up) {
  restart_plan plan{bounds};
  for (std::size_t i = 0; i < bounds.max_restarts; ++i)
    CAF_CHECK(next(plan) > 0);
  CAF_CHECK_EQUAL(next(plan), -1);
  CAF_CHECK_EQUAL(
    plan.what(), "it was started again 10 times within 3600 s, as often as it may (restarts.most)");
}

CAF_TEST(a vm that dies now and then is never given up) {
  restart_plan plan{bounds};
  for (int i = 0; i < 100; ++i)
    CAF_CHECK_EQUAL(next(plan, 11min), 1);
}

CAF_TEST(a plan goes on after it was noted) {
  restart_plan plan{bounds};
  for (int i = 0; i < 8; ++i)
    next(plan);
  plan.begin(now);
  auto note = plan.encode(now, 1'700'000'000'000);
  restart_plan other{bounds};
  now += 2s;
  CAF_CHECK(other.decode(note, now, 1'700'000'002'000));
  auto wait = other.next(now);
  CAF_REQUIRE(wait);
  CAF_CHECK(*wait == 256s);
  now += 1s;
  CAF_CHECK(other.next(now));
  CAF_CHECK(!other.next(now));
}

CAF_TEST(a noted life that was stable meanwhile counts as one) {
  restart_plan plan{bounds};
  next(plan);
  next(plan);
  plan.begin(now);
  auto note = plan.encode(now, 1'700'000'000'000);
  restart_plan other{bounds};
  CAF_CHECK(other.decode(note, now + 10min, 1'700'000'600'000));
  CAF_CHECK(*other.next(now + 10min) == 1s);
}

CAF_TEST(a note that makes no sense changes nothing) {
  restart_plan plan{bounds};
  for (const auto* text : {"", "x", "1", "-", "1 x"})
    CAF_CHECK(!plan.decode(text, now, 0));
  CAF_CHECK(plan.decode("4294967295 -9223372036854775808 9223372036854775807", now, 0));
  CAF_CHECK(plan.next(now));
  std::string many = "3";
  for (int i = 0; i < 1000; ++i)
    many += " 1700000000000";
  CAF_CHECK(plan.decode(many, now, 1'700'000'000'000));
  CAF_CHECK(!plan.next(now));
}

CAF_TEST_FIXTURE_SCOPE_END()
