// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/hang_watch.hpp"

#include "crosvisor/actors/rate_budget.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE actors.hang_watch

using namespace crosvisor;
using actors::hang_watch;
using namespace std::chrono_literals;

namespace {

constexpr hang_watch::clock::time_point start{1000s};

struct fixture {
  hang_watch watch;

  /// What is left at so long after the start, in seconds; -1 while the clock does not run.
  long left(hang_watch::clock::duration after) {
    auto rest = watch.left(start + after);
    return rest ? std::chrono::duration_cast<std::chrono::seconds>(*rest).count() : -1;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(hang_watch_tests, fixture)

CAF_TEST(nothing is waited for before the beginning) {
  CAF_CHECK_EQUAL(left(0s), -1);
  watch.pause(start);
  watch.go_on(start);
  CAF_CHECK_EQUAL(left(1h), -1);
}

CAF_TEST(the time runs out) {
  watch.begin(30s, start);
  CAF_CHECK_EQUAL(left(0s), 30);
  CAF_CHECK_EQUAL(left(29s), 1);
  CAF_CHECK_EQUAL(left(31s), 0);
  CAF_CHECK_EQUAL(watch.what(), "the guest did not say within 30 s that its payload started");
}

CAF_TEST(the clock stands still while the guest is suspended) {
  watch.begin(30s, start);
  auto first = watch.stretch();
  watch.pause(start + 10s);
  CAF_CHECK_EQUAL(left(20s), -1);
  watch.pause(start + 20s);
  watch.go_on(start + 100s);
  CAF_CHECK(watch.stretch() != first);
  CAF_CHECK_EQUAL(left(100s), 20);
  watch.go_on(start + 110s);
  CAF_CHECK_EQUAL(left(110s), 10);
}

CAF_TEST(a guest that spoke is waited for no more) {
  watch.begin(30s, start);
  watch.end();
  CAF_CHECK_EQUAL(left(1s), -1);
  watch.go_on(start + 2s);
  CAF_CHECK_EQUAL(left(2s), -1);
}

CAF_TEST(a rate budget lets so many through in each window) {
  actors::rate_budget budget{2, 60s};
  CAF_CHECK(budget.take(start));
  CAF_CHECK(budget.take(start + 1s));
  CAF_CHECK(!budget.take(start + 2s));
  CAF_CHECK(!budget.take(start + 59s));
  CAF_CHECK(budget.take(start + 60s));
  CAF_CHECK_EQUAL(budget.take_dropped(), 2u);
  CAF_CHECK_EQUAL(budget.take_dropped(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
