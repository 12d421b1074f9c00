// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/permissions.hpp"

#include "crosvisor/service/door/quota.hpp"
#include "crosvisor/service/shared_grants.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE service.permissions

using namespace crosvisor;

namespace {

caller socket_of(std::uint32_t uid, std::uint32_t gid = 5, std::vector<std::uint32_t> groups = {}) {
  return {caller_kind::socket, uid, gid, std::move(groups), 1, "", ""};
}

caller certificate_of(std::string subject, std::uint32_t uid = 0) {
  return {caller_kind::certificate, uid, 0, {}, 0, "", std::move(subject)};
}

permission_grants grants_of(permission what, permission_grant grant) {
  permission_grants all;
  all.of[static_cast<std::size_t>(what)] = std::move(grant);
  return all;
}

} // namespace

CAF_TEST(root and the own process may do all and a certificate never by itself) {
  permission_grants none;
  for (auto what : {permission::manage, permission::debug, permission::custom}) {
    CAF_CHECK(none.allows(socket_of(0), what));
    CAF_CHECK(none.allows(caller{}, what));
    CAF_CHECK(!none.allows(socket_of(1000), what));
    CAF_CHECK(!none.allows(certificate_of("CN=root"), what));
    CAF_CHECK(!none.allows(certificate_of(""), what));
  }
  CAF_CHECK(none.knows(socket_of(0)));
  CAF_CHECK(!none.knows(socket_of(1000, 0, {0})));
}

CAF_TEST(a grant is to a uid or a group or a subject) {
  auto all = grants_of(permission::debug, {{1000}, {20}, {"CN=alice,O=Example"}});
  CAF_CHECK(all.allows(socket_of(1000), permission::debug));
  CAF_CHECK(all.allows(socket_of(1001, 20), permission::debug));
  CAF_CHECK(all.allows(socket_of(1001, 5, {4, 20}), permission::debug));
  CAF_CHECK(all.allows(certificate_of("CN=alice,O=Example"), permission::debug));
  CAF_CHECK(!all.allows(socket_of(1001, 5, {4}), permission::debug));
  CAF_CHECK(!all.allows(certificate_of("CN=alice"), permission::debug));
  CAF_CHECK(!all.allows(socket_of(1000), permission::manage));
  CAF_CHECK(all.knows(socket_of(1000)));
  CAF_CHECK(!all.knows(socket_of(1001)));
}

CAF_TEST(a certificate is no user and a user no certificate) {
  auto all = grants_of(permission::manage, {{0, 1000}, {0}, {"CN=alice", ""}});
  CAF_CHECK(!all.allows(certificate_of("CN=bob", 1000), permission::manage));
  CAF_CHECK(!all.allows(certificate_of(""), permission::manage));
  auto disguised = socket_of(1001);
  disguised.subject = "CN=alice";
  CAF_CHECK(!all.allows(disguised, permission::manage));
  CAF_CHECK(!all.allows(socket_of(1001), static_cast<permission>(7)));
}

CAF_TEST(new grants are in force at once) {
  shared_grants shared{permission_grants{}};
  auto before = shared.get();
  shared.set(grants_of(permission::manage, {{1000}, {}, {}}));
  CAF_CHECK(!before->allows(socket_of(1000), permission::manage));
  CAF_CHECK(shared.get()->allows(socket_of(1000), permission::manage));
}

CAF_TEST(a quota is each principal s own) {
  door::quota quota{{"things", "things"}, 4, 2};
  auto one = *quota.take(socket_of(1000));
  auto two = *quota.take(socket_of(1000, 9));
  CAF_CHECK_EQUAL(sentence_of(quota.take(socket_of(1000)).error()),
                  "uid 1000 has 2 things, as many as one user may have (limits.things_per_user)");
  CAF_CHECK(quota.take(certificate_of("CN=alice", 1000)));
  two.reset();
  CAF_CHECK(quota.take(socket_of(1000)));
  one.reset();
  CAF_CHECK_EQUAL(quota.principals(), 0u);
  door::quota none;
  CAF_CHECK(!none.take(socket_of(1000)));
  CAF_CHECK_EQUAL(none.principals(), 0u);
}

CAF_TEST(a quota is for all together and what is there already counts) {
  door::quota quota{{"things", "things"}, 2, 2};
  auto one = quota.count(socket_of(1000));
  auto two = quota.count(socket_of(1000));
  auto three = quota.count(socket_of(1000));
  CAF_CHECK_EQUAL(sentence_of(quota.take(socket_of(1000)).error()),
                  "uid 1000 has 3 things, as many as one user may have (limits.things_per_user)");
  CAF_CHECK_EQUAL(sentence_of(quota.take(socket_of(1001)).error()),
                  "there are 3 things, as many as there may be (limits.things)");
  std::vector<limit_info> told;
  quota.show(told);
  CAF_REQUIRE_EQUAL(told.size(), 2u);
  CAF_CHECK_EQUAL(told[0].used, 3u);
  CAF_CHECK_EQUAL(told[0].refused, 1u);
  CAF_CHECK_EQUAL(told[1].used, 3u);
  CAF_CHECK_EQUAL(told[1].refused, 1u);
  one.reset();
  two.reset();
  CAF_CHECK(quota.take(socket_of(1001)));
}

CAF_TEST(names are those of configurations) {
  CAF_CHECK_EQUAL(to_string(permission::manage), "manage");
  CAF_CHECK_EQUAL(to_string(permission::debug), "debug");
  CAF_CHECK_EQUAL(to_string(permission::custom), "custom");
  CAF_CHECK_EQUAL(to_string(door_request::make_idsig), "make_idsig");
  CAF_CHECK_EQUAL(to_string(static_cast<door_request>(200)), "invalid");
}
