// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/stream/outflow.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.stream.outflow

using namespace crosvisor::io;

namespace {

constexpr auto full = outflow::high_water_bytes;

struct fixture {
  outflow flow;
  int woken = 0;

  bool has_room() {
    return flow.has_room([this] { ++woken; });
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(outflow_tests, fixture)

CAF_TEST(there is room until so much is on its way) {
  flow.add(full - 1);
  CAF_CHECK(has_room());
  flow.add(1);
  CAF_CHECK(!has_room());
  CAF_CHECK_EQUAL(woken, 0);
}

CAF_TEST(what the connection was handed is counted once) {
  flow.add(1000);
  flow.set_unwritten(1100, 1100); // With a header.
  CAF_CHECK_EQUAL(flow.bytes(), 1100u);
  flow.set_unwritten(300, 0);
  CAF_CHECK_EQUAL(flow.bytes(), 300u);
}

CAF_TEST(what others send counts too) {
  flow.set_unwritten(full, full);
  CAF_CHECK(!has_room());
}

CAF_TEST(who waits is told once and when half of it is written) {
  flow.add(full);
  CAF_CHECK(!has_room());
  flow.set_unwritten(full, full);
  flow.set_unwritten(full / 2 + 1, 0);
  CAF_CHECK_EQUAL(woken, 0);
  flow.set_unwritten(full / 2, 0);
  CAF_CHECK_EQUAL(woken, 1);
  flow.set_unwritten(0, 0);
  CAF_CHECK_EQUAL(woken, 1);
  CAF_CHECK(has_room());
}

CAF_TEST_FIXTURE_SCOPE_END()
