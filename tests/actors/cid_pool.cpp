// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/cid_pool.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE actors.cid_pool

using namespace crosvisor;
using actors::cid_pool;

namespace {

vm_cid next(cid_pool& pool) {
  return pool.allocate().value_or(no_cid);
}

} // namespace

CAF_TEST(a new pool begins with the first of its range) {
  cid_pool pool{{2048, 2050}, no_cid};
  CAF_CHECK_EQUAL(pool.available(), 3u);
  CAF_CHECK_EQUAL(next(pool), 2048u);
  CAF_CHECK_EQUAL(next(pool), 2049u);
  CAF_CHECK_EQUAL(next(pool), 2050u);
  CAF_CHECK(!pool.allocate());
  CAF_CHECK_EQUAL(pool.available(), 0u);
}

CAF_TEST(a pool goes on after the last one that was used) {
  cid_pool pool{{2048, 2050}, 2049};
  CAF_CHECK_EQUAL(next(pool), 2050u);
  CAF_CHECK_EQUAL(next(pool), 2048u);
  CAF_CHECK_EQUAL(next(pool), 2049u);
  CAF_CHECK(!pool.allocate());
}

CAF_TEST(the end of the range is followed by its beginning) {
  cid_pool pool{{2048, 2050}, 2050};
  CAF_CHECK_EQUAL(next(pool), 2048u);
}

CAF_TEST(a last one outside the range is forgotten) {
  cid_pool below{{2048, 2050}, 10};
  CAF_CHECK_EQUAL(next(below), 2048u);
  cid_pool above{{2048, 2050}, 70000};
  CAF_CHECK_EQUAL(next(above), 2048u);
}

CAF_TEST(released cids are reused last and in the order of their release) {
  cid_pool pool{{2048, 2051}, no_cid};
  pool.allocate();
  pool.allocate();
  pool.release(2049);
  pool.release(2048);
  CAF_CHECK_EQUAL(next(pool), 2050u);
  CAF_CHECK_EQUAL(next(pool), 2051u);
  CAF_CHECK_EQUAL(next(pool), 2049u);
  CAF_CHECK_EQUAL(next(pool), 2048u);
  CAF_CHECK(!pool.allocate());
}

CAF_TEST(a reserved cid is passed over and free after its release) {
  cid_pool pool{{10, 12}, no_cid};
  CAF_CHECK(pool.reserve(11));
  CAF_CHECK(!pool.reserve(11));
  CAF_CHECK_EQUAL(pool.available(), 2u);
  CAF_CHECK_EQUAL(next(pool), 10u);
  CAF_CHECK_EQUAL(next(pool), 12u);
  CAF_CHECK(!pool.allocate());
  pool.release(11);
  CAF_CHECK_EQUAL(next(pool), 11u);
}

CAF_TEST(a reserved cid that is released early waits for its turn) {
  cid_pool pool{{10, 12}, no_cid};
  CAF_CHECK(pool.reserve(10));
  pool.release(10);
  CAF_CHECK_EQUAL(pool.available(), 3u);
  CAF_CHECK_EQUAL(next(pool), 11u);
  CAF_CHECK_EQUAL(next(pool), 12u);
  CAF_CHECK_EQUAL(next(pool), 10u);
  CAF_CHECK(!pool.allocate());
}

CAF_TEST(a released cid can be reserved and one in use can not ) {
  cid_pool pool{{10, 11}, no_cid};
  CAF_CHECK_EQUAL(next(pool), 10u);
  CAF_CHECK(!pool.reserve(10));
  pool.release(10);
  CAF_CHECK(pool.reserve(10));
  CAF_CHECK_EQUAL(next(pool), 11u);
  CAF_CHECK(!pool.allocate());
}

CAF_TEST(cids outside the range are nothing to a pool) {
  cid_pool pool{{10, 11}, 10};
  CAF_CHECK(!pool.reserve(9));
  CAF_CHECK(!pool.reserve(12));
  pool.release(9);
  CAF_CHECK_EQUAL(pool.available(), 2u);
}

CAF_TEST(a range of one is handed out again only after its release) {
  cid_pool pool{{5000, 5000}, 5000};
  CAF_CHECK_EQUAL(next(pool), 5000u);
  CAF_CHECK(!pool.allocate());
  pool.release(5000);
  CAF_CHECK_EQUAL(next(pool), 5000u);
}
