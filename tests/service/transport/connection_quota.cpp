// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/connection_quota.hpp"

#include <caf/test/dsl.hpp>

#include <vector>

#undef CAF_SUITE
#define CAF_SUITE service.transport.connection_quota

using namespace crosvisor;
using namespace crosvisor::transport;

namespace {

caller user(std::uint32_t uid) {
  caller who;
  who.kind = caller_kind::socket;
  who.uid = uid;
  return who;
}

struct fixture {
  std::shared_ptr<std::atomic<std::size_t>> all = std::make_shared<std::atomic<std::size_t>>(0);
  std::shared_ptr<connection_quota> quota;

  fixture() {
    peer_limits limits;
    limits.connections = 8;
    limits.connections_per_principal = 3;
    limits.unread_bytes = 100;
    quota = connection_quota::make(limits, all);
  }

  std::unique_ptr<connection_slot> open(std::uint32_t uid) {
    auto slot = quota->open();
    return slot && slot->assign(user(uid)) ? std::move(slot) : nullptr;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(connection_quota_tests, fixture)

CAF_TEST(a principal has so many) {
  std::vector<std::unique_ptr<connection_slot>> slots;
  for (int i = 0; i < 3; ++i)
    slots.push_back(open(1000));
  CAF_CHECK(slots.back() != nullptr);
  CAF_CHECK(open(1000) == nullptr);
  CAF_CHECK(open(1001) != nullptr);
  CAF_CHECK_EQUAL(all->load(), std::size_t{3});
  slots.pop_back();
  CAF_CHECK(open(1000) != nullptr);
}

CAF_TEST(what is in use is told with what was refused) {
  std::vector<std::unique_ptr<connection_slot>> slots;
  for (int i = 0; i < 3; ++i)
    slots.push_back(open(1000));
  slots.push_back(open(1001));
  CAF_CHECK(open(1000) == nullptr);
  auto told = quota->use(nullptr);
  CAF_CHECK_EQUAL(told.open, 4u);
  CAF_CHECK_EQUAL(told.most, 3u);
  CAF_CHECK_EQUAL(told.refused, 0u);
  CAF_CHECK_EQUAL(told.refused_per_principal, 1u);
  auto one = user(1001);
  auto own = quota->use(&one);
  CAF_CHECK_EQUAL(own.most, 1u);
  CAF_CHECK_EQUAL(own.refused_per_principal, 0u);
  std::vector<std::unique_ptr<connection_slot>> nobodys;
  while (auto slot = quota->open())
    nobodys.push_back(std::move(slot));
  CAF_CHECK_EQUAL(quota->use(nullptr).refused, 1u);
}

CAF_TEST(all have so many together) {
  std::vector<std::unique_ptr<connection_slot>> slots;
  for (std::uint32_t i = 0; i < 8; ++i)
    slots.push_back(open(i));
  CAF_CHECK(slots.back() != nullptr);
  CAF_CHECK(quota->open() == nullptr);
  slots.clear();
  CAF_CHECK_EQUAL(all->load(), std::size_t{0});
  CAF_CHECK(quota->open() != nullptr);
}

CAF_TEST(nobody has half of it) {
  std::vector<std::unique_ptr<connection_slot>> slots;
  for (int i = 0; i < 4; ++i)
    slots.push_back(quota->open());
  CAF_CHECK(slots.back() != nullptr);
  CAF_CHECK(quota->open() == nullptr);
  CAF_CHECK(slots.back()->assign(user(5)));
  CAF_CHECK(quota->open() != nullptr);
}

CAF_TEST(what a principals connections hold is bounded together) {
  auto first = open(1000);
  auto second = open(1000);
  auto others = open(1001);
  CAF_CHECK(first->hold(300));
  CAF_CHECK(second->hold(200)); // Its part.
  CAF_CHECK(!first->hold(300));
  CAF_CHECK(!second->hold(201));
  CAF_CHECK(others->hold(400));
  CAF_CHECK(second->hold(100));
  CAF_CHECK(first->hold(300));
  first = nullptr;
  CAF_CHECK(second->hold(400));
  CAF_CHECK(!second->hold(401));
  CAF_CHECK(second->hold(0));
}

CAF_TEST(what was held before it was known goes along) {
  auto slot = quota->open();
  CAF_CHECK(slot->hold(50));
  CAF_CHECK(slot->assign(user(1)));
  auto other = open(1);
  CAF_CHECK(!other->hold(351));
  CAF_CHECK(other->hold(350));
}

CAF_TEST_FIXTURE_SCOPE_END()
