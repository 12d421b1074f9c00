// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/credit.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.credit

using namespace crosvisor::io::vsock;

CAF_TEST(no more is sent than the guest has room for) {
  send_credit credit;
  CAF_CHECK_EQUAL(credit.free(), 0u);
  credit.update(1000, 0);
  credit.sent(600);
  CAF_CHECK_EQUAL(credit.free(), 400u);
  credit.update(1000, 600);
  CAF_CHECK_EQUAL(credit.free(), 1000u);
}

CAF_TEST(a guest that shrinks its buffer or lies has no room) {
  send_credit credit;
  credit.update(1000, 0);
  credit.sent(600);
  credit.update(500, 0);
  CAF_CHECK_EQUAL(credit.free(), 0u);
  credit.update(1000, 601); // More than it was sent.
  CAF_CHECK_EQUAL(credit.free(), 0u);
  credit.update(0, 600);
  CAF_CHECK_EQUAL(credit.free(), 0u);
}

CAF_TEST(counters go on across their end) {
  send_credit credit{0xFFFFFF00};
  credit.update(1000, 0xFFFFFF00);
  credit.sent(600);
  CAF_CHECK_EQUAL(credit.free(), 400u);
  credit.update(1000, 0xFFFFFF00 + 600u);
  CAF_CHECK_EQUAL(credit.free(), 1000u);
  receive_credit window{1000, 0xFFFFFF00};
  CAF_CHECK(window.take(1000));
  CAF_CHECK(!window.take(1));
  window.forward(600);
  CAF_CHECK(window.take(600));
  CAF_CHECK_EQUAL(window.forwarded(), 0xFFFFFF00 + 600u);
}

CAF_TEST(after a stall a good part has to be free) {
  send_credit credit;
  credit.update(262144, 0);
  credit.sent(262144);
  CAF_CHECK_EQUAL(credit.usable(), 0u);
  credit.update(262144, 65535);
  CAF_CHECK_EQUAL(credit.usable(), 0u);
  credit.update(262144, 65536);
  CAF_CHECK_EQUAL(credit.usable(), 65536u);
  credit.sent(65000);
  CAF_CHECK_EQUAL(credit.usable(), 536u);
}

CAF_TEST(a tiny buffer is used as well) {
  send_credit credit;
  credit.update(1, 0);
  CAF_CHECK_EQUAL(credit.usable(), 1u);
  credit.sent(1);
  CAF_CHECK_EQUAL(credit.usable(), 0u);
  credit.update(1, 1);
  CAF_CHECK_EQUAL(credit.usable(), 1u);
}

CAF_TEST(an update is due at half the window) {
  receive_credit window{1000};
  CAF_CHECK(window.take(1000));
  window.forward(499);
  CAF_CHECK(!window.update_due());
  window.forward(1);
  CAF_CHECK(window.update_due());
  window.announce();
  CAF_CHECK(!window.update_due());
}
