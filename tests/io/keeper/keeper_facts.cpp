// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_facts.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>

#undef CAF_SUITE
#define CAF_SUITE io.keeper.facts

using namespace crosvisor;
using namespace crosvisor::io;

namespace {

using kind = keeper_fact::kind;

struct fixture {
  keeper_facts facts;

  bool add(kind what, std::string packet) {
    keeper_fact fact;
    fact.what = what;
    fact.packet = std::move(packet);
    return facts.add(std::move(fact));
  }

  bool add_status(std::uint8_t status_kind, std::string packet) {
    keeper_fact fact;
    fact.what = kind::status;
    fact.status_kind = status_kind;
    fact.packet = std::move(packet);
    return facts.add(std::move(fact));
  }

  bool add_connection(std::uint64_t number, std::uint32_t port = 3000) {
    keeper_fact fact;
    fact.packet = std::to_string(number);
    fact.port = port;
    fact.what = kind::connection;
    fact.connection = number;
    fact.socket = std::make_shared<unique_fd>(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return facts.add(std::move(fact));
  }

  std::string all() const {
    std::string text;
    for (const auto& fact : facts.all())
      text += fact.packet + " ";
    return text;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(keeper_facts_tests, fixture)

CAF_TEST(what happened is kept in its order) {
  add(kind::up, "up");
  add_status(0, "started");
  add(kind::fault, "fault");
  add(kind::exit, "exit");
  CAF_CHECK_EQUAL(all(), "up started fault exit ");
  CAF_CHECK(facts.has(kind::exit));
  CAF_CHECK(!facts.has(kind::launch_failed));
}

CAF_TEST(the last faults are kept) {
  add(kind::up, "up");
  for (int i = 0; i < 20; ++i)
    CAF_CHECK(add(kind::fault, std::to_string(i)));
  CAF_CHECK_EQUAL(all(), "up 12 13 14 15 16 17 18 19 ");
}

CAF_TEST(the first status of each kind is kept however many others there are) {
  for (int i = 0; i < 40; ++i)
    CAF_CHECK_EQUAL(add_status(0, "a"), i <= 16);
  CAF_CHECK(add_status(1, "b"));
  CAF_CHECK(!add_status(1, "b"));
  CAF_CHECK(add_status(2, "c"));
  CAF_CHECK_EQUAL(facts.all().size(), 19u);
}

CAF_TEST(a connection is there until it is taken) {
  CAF_CHECK(add_connection(7));
  CAF_CHECK(facts.take(8) == nullptr);
  auto socket = facts.take(7);
  CAF_REQUIRE(socket);
  CAF_CHECK(static_cast<bool>(*socket));
  CAF_CHECK(facts.take(7) == nullptr);
}

CAF_TEST(of each port the first connection that was taken is known) {
  add_connection(1, 3000);
  add_connection(2, 5000);
  add_connection(3, 3000);
  facts.drop(2);
  add_connection(4, 5000);
  for (auto number : {3, 1, 4})
    CAF_CHECK(facts.take(number) != nullptr);
  CAF_CHECK_EQUAL(all(), "3 4 ");
  facts.drop(3); // It is read.
  CAF_CHECK_EQUAL(all(), "3 4 ");
}

CAF_TEST(connections have a bound and go together) {
  for (std::uint64_t i = 0; i < 40; ++i)
    CAF_CHECK_EQUAL(add_connection(i), i < keeper_facts::max_connections);
  add(kind::exit, "exit");
  facts.drop_connections();
  CAF_CHECK_EQUAL(all(), "exit ");
}

CAF_TEST_FIXTURE_SCOPE_END()
