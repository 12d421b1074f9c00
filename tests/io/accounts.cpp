// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/accounts.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.accounts

using namespace crosvisor;

CAF_TEST(names have their numbers) {
  auto root = io::find_uid("root");
  CAF_REQUIRE(static_cast<bool>(root));
  CAF_CHECK_EQUAL(*root, uid_t{0});
  auto group = io::find_gid("root");
  CAF_REQUIRE(static_cast<bool>(group));
  CAF_CHECK_EQUAL(*group, gid_t{0});
}

CAF_TEST(an unknown name is said to be one) {
  auto nobody = io::find_uid("no such\x1b user");
  CAF_REQUIRE(!nobody);
  CAF_CHECK_EQUAL(nobody.why().code, 0);
  CAF_CHECK_EQUAL(nobody.why().what, "there is no user \"no such\\x1b user\" on this host");
  auto group = io::find_gid("");
  CAF_REQUIRE(!group);
  CAF_CHECK_EQUAL(group.why().what, "there is no group \"\" on this host");
}
