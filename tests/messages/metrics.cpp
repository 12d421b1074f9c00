// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/metrics.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE messages.metrics

using namespace crosvisor;

CAF_TEST(a bucket counts those below it too and the last ones are in none) {
  duration_histogram times;
  for (auto seconds : {0.01, 0.02, 1.0, 301.0, -5.0})
    times.add(seconds);
  auto sample = times.sample({{"a", "b"}});
  CAF_CHECK_EQUAL(sample.count, 5u);
  CAF_CHECK_EQUAL(sample.value, 302.03);
  CAF_REQUIRE_EQUAL(sample.buckets.size(), duration_histogram::bounds.size());
  CAF_CHECK_EQUAL(sample.buckets.front().count, 2u); // What went backwards counts as nothing.
  CAF_CHECK_EQUAL(sample.buckets[1].count, 3u);
  CAF_CHECK_EQUAL(sample.buckets[5].count, 3u);
  CAF_CHECK_EQUAL(sample.buckets[6].upper, 1.0);
  CAF_CHECK_EQUAL(sample.buckets[6].count, 4u);
  CAF_CHECK_EQUAL(sample.buckets.back().count, 4u);
}
