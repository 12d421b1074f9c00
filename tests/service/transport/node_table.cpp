// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/node_table.hpp"

#include "crosvisor/tests/service/transport/basp_bytes.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE service.transport.node_table

using namespace crosvisor;
using namespace crosvisor::tests::basp;
using namespace crosvisor::transport;
using namespace std::chrono_literals;

namespace {

caller subject(std::string name) {
  caller who;
  who.kind = caller_kind::certificate;
  who.subject = std::move(name);
  return who;
}

struct fixture {
  std::chrono::steady_clock::time_point now{};
  node_table table{[this] { return now; }};
  caller alice = subject("CN=alice");
  caller bob = subject("CN=bob");
  using answer = node_table::answer;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(node_table_tests, fixture)

CAF_TEST(a node is somebodys while it is bound) {
  CAF_CHECK(!table.find(own_node()));
  CAF_CHECK(table.bind(own_node(), alice) == answer::bound);
  CAF_CHECK(table.bind(own_node(), alice) == answer::in_use);
  CAF_CHECK(table.bind(own_node(2), bob) == answer::bound);
  auto found = table.find(own_node());
  CAF_CHECK_EQUAL(found->subject, "CN=alice");
  table.free(own_node());
  CAF_CHECK(!table.find(own_node()));
  table.free(own_node());
  CAF_CHECK_EQUAL(table.size(), std::size_t{1});
}

CAF_TEST(a node is its principals for a while after) {
  table.bind(own_node(), alice);
  table.free(own_node());
  CAF_CHECK(table.bind(own_node(), bob) == answer::anothers);
  now += node_grace - 1s;
  CAF_CHECK(table.bind(own_node(), bob) == answer::anothers);
  CAF_CHECK(table.bind(own_node(), alice) == answer::bound);
  table.free(own_node());
  now += node_grace - 1s;
  CAF_CHECK(table.bind(own_node(), bob) == answer::anothers);
  now += 1s;
  CAF_CHECK(table.bind(own_node(), bob) == answer::bound);
}

CAF_TEST(what is remembered is bounded) {
  auto key = own_node();
  for (std::uint32_t i = 1; i <= 3 * max_remembered_nodes; ++i) {
    key.pid = i;
    CAF_CHECK(table.bind(key, alice) == answer::bound);
    table.free(key);
  }
  CAF_CHECK_EQUAL(table.remembered(), max_remembered_nodes);
  CAF_CHECK_EQUAL(table.size(), std::size_t{0});
  now += node_grace;
  table.bind(own_node(), alice);
  CAF_CHECK_EQUAL(table.remembered(), std::size_t{0});
}

CAF_TEST(one that comes and goes is remembered once) {
  for (std::size_t i = 0; i < 3 * max_remembered_nodes; ++i) {
    table.bind(own_node(), alice);
    table.free(own_node());
  }
  CAF_CHECK_EQUAL(table.remembered(), std::size_t{1});
  CAF_CHECK(table.bind(own_node(), bob) == answer::anothers);
}

CAF_TEST_FIXTURE_SCOPE_END()
