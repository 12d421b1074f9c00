// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/service/door/fixture.hpp"

#include <caf/exit_reason.hpp>

#include <limits>

#undef CAF_SUITE
#define CAF_SUITE service.door.events

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

/// Watching after it is told what comes alone.
constexpr auto newest = std::numeric_limits<std::uint64_t>::max();

struct fixture : door_fixture {
  caller alice = user(1000);
  caller carol = user(1002);
  client a = connect(alice);
  client c = connect(carol);

  fixture() {
    grant(alice, {permission::manage, permission::custom});
    grant(carol, {permission::debug});
  }

  std::string subscribe(const client& by, vm_cid cid) {
    return refusal(request<vm_info>(by, caf::subscribe_atom::value, cid));
  }

  std::string watch(const client& by, std::uint64_t after = newest) {
    return refusal(request<std::uint64_t>(by, watch_atom::value, after));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(event_tests, fixture)

CAF_TEST(a subscriber is told the last state and then each event in order) {
  auto cid = make_vm(a);
  CAF_CHECK_EQUAL(subscribe(a, cid), "done");
  auto vmm = run_vm(a, cid);
  auto late = connect(alice);
  subscribe(late, cid);
  request<vm_info>(a, stop_atom::value, cid, caf::timespan{10s});
  end_vm(vmm);
  CAF_CHECK_EQUAL(kinds(a), "created starting started stopping dead");
  CAF_CHECK_EQUAL(kinds(late), "started stopping dead");
  for (const auto& one : {a, late}) {
    CAF_CHECK(one.got->from_door);
    for (std::size_t i = 1; i < one.got->events.size(); ++i)
      CAF_CHECK_LESS(one.got->events[i - 1].seq, one.got->events[i].seq);
  }
}

CAF_TEST(a subscriber after death is told that alone) {
  auto cid = make_vm(a);
  end_vm(run_vm(a, cid));
  subscribe(a, cid);
  CAF_CHECK_EQUAL(kinds(a), "dead");
  pass(30s);
  CAF_CHECK_EQUAL(kinds(a), "dead");
}

CAF_TEST(a repeated subscription repeats the last state event alone) {
  auto cid = make_vm(a);
  subscribe(a, cid);
  subscribe(a, cid);
  run_vm(a, cid);
  CAF_CHECK_EQUAL(kinds(a), "created created starting started");
}

CAF_TEST(who unsubscribes is told no more) {
  auto cid = make_vm(a);
  subscribe(a, cid);
  tell(a, caf::unsubscribe_atom::value, cid);
  run_vm(a, cid);
  CAF_CHECK_EQUAL(kinds(a), "created");
}

CAF_TEST(watchers are told of every vm) {
  CAF_CHECK_EQUAL(watch(c), "done");
  CAF_CHECK_EQUAL(watch(c, 0), "done"); // Changes nothing.
  auto one = make_vm(a);
  auto two = make_vm(a);
  run_vm(a, one);
  CAF_CHECK_EQUAL(kinds(c), "created created starting started");
  CAF_CHECK_EQUAL(c.got->events.at(1).cid, two);
  CAF_CHECK(c.got->from_door);
  tell(c, caf::unsubscribe_atom::value);
  run_vm(a, two);
  CAF_CHECK_EQUAL(c.got->events.size(), 4u);
}

CAF_TEST(the last events are kept for those who watch with history) {
  options.bounds.events_kept = 3;
  open();
  auto cid = make_vm(a);
  end_vm(run_vm(a, cid));
  watch(c, 0);
  CAF_CHECK_EQUAL(kinds(c), "starting started dead");
  auto without = connect(carol);
  watch(without);
  CAF_CHECK_EQUAL(kinds(without), "");
}

CAF_TEST(a permission that is taken away ends what it allowed) {
  auto cid = make_vm(a);
  watch(c);
  subscribe(c, cid);
  subscribe(a, cid);
  revoke_all();
  grant(alice, {permission::manage, permission::custom});
  run_vm(a, cid);
  CAF_CHECK_EQUAL(kinds(c), "created");
  CAF_CHECK_EQUAL(kinds(a), "created starting started");
  // Nor does it begin again with the permission.
  grant(carol, {permission::debug});
  request<vm_info>(a, kill_atom::value, cid);
  CAF_CHECK_EQUAL(kinds(c), "created");
}

CAF_TEST(an event that no vm sent is not told) {
  auto cid = make_vm(a);
  watch(c);
  subscribe(a, cid);
  vm_event forged;
  forged.cid = cid;
  forged.seq = 99;
  forged.kind = vm_event_kind::dead;
  forged.state = vm_state::dead;
  let_send(a, caf::actor_cast<caf::actor>(door), forged);
  caf::anon_send(caf::actor_cast<caf::actor>(door), forged);
  settle();
  CAF_CHECK_EQUAL(kinds(c), "");
  CAF_CHECK_EQUAL(kinds(a), "created");
  CAF_CHECK_EQUAL(refusal(request<vm_info>(a, attach_atom::value, cid)), "done");
}

CAF_TEST(nobody else expires a reference or answers a log) {
  auto cid = make_vm(a);
  run_vm(a, cid);
  auto vmm = launcher->launched.back();
  cut(a);
  auto again = connect(alice);
  log_query query;
  query.vm = std::to_string(cid);
  auto log = request<log_piece>(again, caf::get_atom::value, query);
  auto untyped = caf::actor_cast<caf::actor>(door);
  for (std::uint64_t number = 0; number < 10; ++number) {
    let_send(again, untyped, expired_atom::value, cid, number);
    let_send(again, untyped, finished_atom::value, number, log_piece{});
    let_send(again, untyped, failed_atom::value, number, std::int32_t{2}, std::string{});
  }
  settle();
  CAF_CHECK(vmm->requests.empty());
  CAF_CHECK(log->pending());
}

CAF_TEST(a lost supervisor is told as a death) {
  auto cid = make_vm(a);
  run_vm(a, cid);
  subscribe(a, cid);
  auto vm = ask<vm_actor>(service, caf::get_atom::value, cid)->get();
  caf::anon_send_exit(vm, caf::exit_reason::kill);
  settle();
  CAF_CHECK_EQUAL(kinds(a), "started dead");
  auto last = a.got->events.back();
  CAF_CHECK_EQUAL(last.reason, death_reason::infrastructure_error);
  CAF_CHECK_EQUAL(last.seq, std::uint64_t{4});
  CAF_CHECK_EQUAL(subscribe(a, cid), "no_such_vm: no VM with CID " + std::to_string(cid));
}

CAF_TEST(one principal s subscriptions are bounded) {
  options.bounds.subscriptions_per_user = 3;
  open();
  grant(alice, {permission::debug});
  auto cid = make_vm(a);
  subscribe(a, cid);
  watch(a);
  CAF_CHECK_EQUAL(
    refusal(request<caf::ok_atom>(a, caf::subscribe_atom::value, output_atom::value, cid)), "done");
  auto more = connect(alice);
  constexpr char full[] = "busy: uid 1000 has 3 subscriptions, as many as one user may have "
                          "(limits.subscriptions_per_user)";
  CAF_CHECK_EQUAL(subscribe(more, cid), full);
  CAF_CHECK_EQUAL(watch(more), full);
  CAF_CHECK_EQUAL(
    refusal(request<caf::ok_atom>(more, caf::subscribe_atom::value, output_atom::value, cid)),
    full);
  CAF_CHECK_EQUAL(kinds(more), "");
  CAF_CHECK_EQUAL(watch(c), "done");
  tell(a, caf::unsubscribe_atom::value);
  CAF_CHECK_EQUAL(watch(more), "done");
}

CAF_TEST(dead watchers and subscribers are not kept) {
  options.bounds.subscriptions_per_user = 2;
  open();
  auto cid = make_vm(a);
  std::vector<caf::weak_actor_ptr> left;
  for (int i = 0; i < 10; ++i) {
    auto one = connect(carol);
    CAF_REQUIRE_EQUAL(watch(one), "done");
    CAF_REQUIRE_EQUAL(subscribe(one, cid), "done");
    if (i % 2 == 0)
      end(one);
    else
      cut(one);
    left.push_back(caf::actor_cast<caf::weak_actor_ptr>(one.handle));
    spawned.pop_back();
  }
  for (const auto& one : left)
    CAF_CHECK(one.lock() == nullptr);
  CAF_CHECK_EQUAL(watch(c), "done");
}

CAF_TEST(a dead vm s subscriptions are free again) {
  options.bounds.subscriptions_per_user = 1;
  open();
  for (int i = 0; i < 3; ++i) {
    auto cid = make_vm(a);
    CAF_CHECK_EQUAL(subscribe(a, cid), "done");
    end_vm(run_vm(a, cid));
  }
}

CAF_TEST(what nobody knows is dropped and an exit from here is heard) {
  auto untyped = caf::actor_cast<caf::actor>(door);
  auto odd = std::make_shared<outcome<int>>();
  let_do(a, [=](caf::event_based_actor* actor) {
    actor->request(untyped, test_timeout, std::string{"hello"}, 42)
      .then([](int) {}, [=](caf::error& why) { odd->error = std::move(why); });
  });
  let_send(a, untyped, caf::make_error(vm_errc::denied, "not mine"));
  settle();
  CAF_CHECK(odd->why() == caf::sec::unexpected_message);
  CAF_CHECK_EQUAL(refusal(request<host_info>(a, caf::get_atom::value, host_atom::value)), "done");
}

CAF_TEST_FIXTURE_SCOPE_END()
