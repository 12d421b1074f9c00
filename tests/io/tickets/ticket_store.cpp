// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/ticket_store.hpp"

#include "crosvisor/tests/io/tickets/door_fixture.hpp"

#include <atomic>
#include <set>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE io.tickets.ticket_store

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr auto in = ticket_store::direction::to_service;
constexpr auto out = ticket_store::direction::to_client;

caller somebody(std::uint32_t uid, std::int32_t pid) {
  caller who;
  who.kind = caller_kind::socket;
  who.uid = uid;
  who.pid = pid;
  return who;
}

struct fixture {
  holdings before;
  std::chrono::steady_clock::time_point now{};
  std::shared_ptr<ticket_store> store;
  caller alice = somebody(1000, 50);

  fixture() { make({}); }

  void make(const ticket_limits& limits) {
    store = ticket_store::make(limits, [this] { return now; });
  }

  ticket put(unique_fd fd, const caller& who, ticket_store::direction way = in) {
    auto made = store->put(std::move(fd), who, way);
    CAF_REQUIRE(made);
    return *made;
  }

  ticket put(const caller& who) { return put(std::move(pipe_ends{}.writer), who); }

  /// "" where it can be kept.
  std::string refusal(const caller& who) {
    auto made = store->put(std::move(pipe_ends{}.writer), who, in);
    return made ? "" : made.why().what;
  }

  /// Once what went before is closed.
  bool is_kept_in_time(const caller& who) {
    for (auto end = std::chrono::steady_clock::now() + patience;
         std::chrono::steady_clock::now() < end; std::this_thread::yield())
      if (refusal(who).empty())
        return true;
    return false;
  }

  bool takes(const ticket& of, const caller& who, ticket_store::direction way = in) {
    auto taken = store->take(of, who, way);
    if (!taken)
      CAF_CHECK_EQUAL(taken.why().code, 0);
    return static_cast<bool>(taken);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(ticket_store_tests, fixture)

CAF_TEST(a ticket is good once for the same descriptor) {
  pipe_ends pipe;
  auto number = pipe.writer.get();
  auto of = put(std::move(pipe.writer), alice);
  CAF_CHECK_EQUAL(store->size(), 1u);
  auto taken = store->take(of, alice, in);
  CAF_REQUIRE(taken);
  CAF_CHECK_EQUAL(taken->get(), number);
  CAF_CHECK_EQUAL(store->size(), 0u);
  CAF_CHECK(!takes(of, alice));
}

CAF_TEST(tickets are 32 hexadecimal digits and never the same) {
  std::set<ticket> all;
  for (auto i = 0; i < 200; ++i) {
    auto of = put(alice);
    CAF_CHECK_EQUAL(of.size(), ticket_digits);
    CAF_CHECK_EQUAL(of.find_first_not_of("0123456789abcdef"), std::string::npos);
    all.insert(of);
  }
  CAF_CHECK_EQUAL(all.size(), 200u);
}

CAF_TEST(nobody else can use a ticket and whoever tries does not spoil it) {
  auto of = put(alice);
  CAF_CHECK(!takes(of, somebody(1001, 50)));
  CAF_CHECK(!takes(of, somebody(1000, 51)));
  CAF_CHECK(!takes(of, somebody(0, 0)));
  CAF_CHECK(!takes(of, alice, out));
  auto within = alice;
  within.kind = caller_kind::process;
  CAF_CHECK(!takes(of, within));
  CAF_CHECK(!takes(of + "0", alice));
  CAF_CHECK(!takes("", alice));
  CAF_CHECK(takes(of, alice));
}

CAF_TEST(what the service leaves is for the client alone) {
  auto of = put(std::move(pipe_ends{}.writer), alice, out);
  CAF_CHECK(!takes(of, alice, in));
  CAF_CHECK(takes(of, alice, out));
}

CAF_TEST(a certificate is no process of root even with the same numbers) {
  auto of = put(somebody(0, 0));
  caller remote;
  remote.kind = caller_kind::certificate;
  remote.subject = "CN=root";
  CAF_CHECK(!takes(of, remote));
  CAF_CHECK_EQUAL(refusal(remote), "descriptors can't be passed to or from another host");
}

CAF_TEST(a ticket that is too old is closed with the next call) {
  pipe_ends pipe;
  auto of = put(std::move(pipe.writer), alice);
  now += std::chrono::milliseconds{29'999};
  CAF_CHECK_EQUAL(store->size(), 1u);
  auto young = put(alice);
  now += std::chrono::milliseconds{1};
  CAF_CHECK(!takes(of, alice));
  CAF_CHECK(is_let_go(pipe));
  CAF_CHECK_EQUAL(store->size(), 1u);
  CAF_CHECK(takes(young, alice));
}

CAF_TEST(each uid has its bound) {
  make({std::chrono::seconds{30}, 3, 100});
  for (auto i = 0; i < 3; ++i)
    put(somebody(1000, i));
  pipe_ends pipe;
  auto refused = store->put(std::move(pipe.writer), alice, out);
  CAF_REQUIRE(!refused);
  CAF_CHECK_EQUAL(refused.why().code, EDQUOT);
  CAF_CHECK_EQUAL(refused.why().what,
                  "uid 1000 has 3 descriptors that wait, as many as one user may have "
                  "(limits.tickets_per_user)");
  CAF_CHECK(is_let_go(pipe));
  CAF_CHECK_EQUAL(refusal(somebody(1001, 50)), "");
  now += std::chrono::seconds{30};
  CAF_CHECK(is_kept_in_time(alice));
}

CAF_TEST(all together have a bound) {
  make({std::chrono::seconds{30}, 2, 4});
  for (auto uid : {1u, 1u, 2u, 2u})
    put(somebody(uid, 7));
  CAF_CHECK_EQUAL(refusal(somebody(3, 7)),
                  "there are 4 descriptors that wait, as many as there may be "
                  "(limits.tickets)");
}

CAF_TEST(the bounds are told as they are) {
  make({std::chrono::seconds{30}, 2, 3});
  auto told = [&](const caller* of) {
    std::string text;
    for (const auto& one : store->limits(of))
      text += one.name + ' ' + std::to_string(one.used) + '/' + std::to_string(one.limit) + ' '
              + std::to_string(one.refused) + '\n';
    return text;
  };
  CAF_CHECK_EQUAL(told(nullptr), "tickets 0/3 0\ntickets_per_user 0/2 0\n");
  for (auto uid : {1000u, 1000u, 1001u})
    put(somebody(uid, 7));
  auto other = somebody(1001, 8);
  CAF_CHECK_EQUAL(told(nullptr), "tickets 3/3 0\ntickets_per_user 2/2 0\n");
  CAF_CHECK_EQUAL(told(&alice), "tickets_per_user 2/2 0\n");
  CAF_CHECK_EQUAL(told(&other), "tickets_per_user 1/2 0\n");
  CAF_CHECK_NOT_EQUAL(refusal(alice), "");
  CAF_CHECK_NOT_EQUAL(refusal(other), "");
  // What was refused may not be closed yet, and is in use until then.
  auto refused = [&](const caller* of) {
    std::string text;
    for (const auto& one : store->limits(of))
      text += std::to_string(one.refused) + ' ';
    return text;
  };
  CAF_CHECK_EQUAL(refused(nullptr), "1 1 ");
  CAF_CHECK_EQUAL(refused(&alice), "1 ");
  CAF_CHECK_EQUAL(refused(&other), "0 ");
  caller remote;
  remote.kind = caller_kind::certificate;
  remote.subject = "CN=root";
  CAF_CHECK_EQUAL(told(&remote), "");
  now += std::chrono::seconds{30};
  CAF_CHECK(is_kept_in_time(alice));
}

CAF_TEST(the bound is as high as it says) {
  for (auto i = 0; i < 256; ++i)
    put(alice);
  CAF_CHECK_EQUAL(refusal(alice),
                  "uid 1000 has 256 descriptors that wait, as many as one user may have "
                  "(limits.tickets_per_user)");
}

CAF_TEST(what one process left is forgotten and no more) {
  pipe_ends first, second;
  auto gone = put(std::move(first.writer), alice);
  auto left = put(std::move(second.writer), alice, out);
  auto other = put(somebody(1000, 51));
  store->forget(alice);
  CAF_CHECK(is_let_go(first));
  CAF_CHECK(is_let_go(second));
  CAF_CHECK(!takes(gone, alice));
  CAF_CHECK(!takes(left, alice, out));
  CAF_CHECK(takes(other, somebody(1000, 51)));
}

CAF_TEST(the end of a store closes all) {
  for (auto uid = 0u; uid < 50; ++uid)
    put(somebody(uid, 7));
  store = nullptr;
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(a descriptor that can not be closed keeps nobody waiting and counts) {
  make({std::chrono::seconds{30}, 3, 100});
  slow_to_close slow;
  put(std::move(slow.own), alice);
  auto of = put(alice);
  now += std::chrono::seconds{30};
  CAF_CHECK(!takes(of, alice)); // Has both closed, one after the other.
  put(alice);
  CAF_CHECK_EQUAL(refusal(alice),
                  "uid 1000 has 3 descriptors that wait, as many as one user may have "
                  "(limits.tickets_per_user)");
  CAF_CHECK_EQUAL(refusal(somebody(1001, 50)), "");
  slow.peer.reset();
  CAF_CHECK(is_kept_in_time(alice));
}

CAF_TEST(many threads put and take at once) {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (auto t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      auto who = somebody(static_cast<std::uint32_t>(t / 2), t);
      for (auto i = 0; i < 500; ++i) {
        pipe_ends pipe;
        auto of = store->put(std::move(pipe.writer), who, in);
        auto taken = of ? store->take(*of, who, in) : of.why();
        if (!taken || store->take(*of, who, in))
          ++wrong;
      }
    });
  for (auto& thread : threads)
    thread.join();
  CAF_CHECK_EQUAL(wrong.load(), 0);
  CAF_CHECK_EQUAL(store->size(), 0u);
  store = nullptr;
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST_FIXTURE_SCOPE_END()
