// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/doorkeeper.hpp"
#include "crosvisor/service/door/reference_ledger.hpp"
#include "crosvisor/tests/service/door/fixture.hpp"

#include <algorithm>

#undef CAF_SUITE
#define CAF_SUITE service.door.references

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture : door_fixture {
  caller alice = user(1000);
  caller bob = user(1001);

  fixture() {
    grant(alice, {permission::manage, permission::custom});
    grant(bob, {permission::manage, permission::debug});
  }

  /// How often a VM was told to heed its power button.
  static std::ptrdiff_t presses(const std::shared_ptr<fake_vmm>& vmm) {
    return std::count_if(vmm->requests.begin(), vmm->requests.end(), [](const auto& asked) {
      return asked.what == io::vmm_request::power_button;
    });
  }

  std::string attach(const client& by, vm_cid cid) {
    return refusal(request<vm_info>(by, attach_atom::value, cid));
  }
};

caf::actor_addr address_of(const client& one) {
  return one.handle.address();
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(reference_tests, fixture)

// -- the ledger ---------------------------------------------------------------

CAF_TEST(a ledger counts each holder once) {
  door::reference_ledger ledger;
  auto one = connect(alice);
  CAF_CHECK(ledger.empty());
  ledger.attach(address_of(one), alice);
  ledger.attach(address_of(one), alice);
  CAF_CHECK_EQUAL(ledger.count(alice), 1u);
  CAF_CHECK(ledger.detach(address_of(one)));
  CAF_CHECK(!ledger.detach(address_of(one)));
  CAF_CHECK(ledger.empty());
}

CAF_TEST(a lost reference is its principal s until it is taken over or expires) {
  door::reference_ledger ledger;
  auto first = connect(alice);
  auto second = connect(alice);
  auto stranger = connect(bob);
  ledger.attach(address_of(first), alice);
  ledger.attach(address_of(second), alice);
  CAF_CHECK(!ledger.lose(address_of(stranger), 1));
  CAF_CHECK(ledger.lose(address_of(first), 2));
  CAF_CHECK(ledger.lose(address_of(second), 3));
  CAF_CHECK_EQUAL(ledger.count(alice), 0u);
  ledger.expire(2);
  CAF_CHECK(!ledger.empty());
  ledger.attach(address_of(stranger), bob);
  ledger.detach(address_of(stranger));
  CAF_CHECK(!ledger.empty());
  ledger.attach(address_of(first), alice);
  ledger.detach(address_of(first));
  CAF_CHECK(ledger.empty());
}

CAF_TEST(a hold is nobody s) {
  door::reference_ledger ledger;
  ledger.hold();
  ledger.hold();
  CAF_CHECK(!ledger.empty());
  ledger.drop();
  CAF_CHECK(ledger.empty());
}

// -- the door's ---------------------------------------------------------------

CAF_TEST(whoever creates a vm holds it) {
  auto one = connect(alice);
  auto cid = make_vm(one);
  pass(24h);
  CAF_CHECK_EQUAL(state_of(cid), vm_state::not_started);
}

CAF_TEST(the end of the last holder stops the vm once and by the ladder) {
  auto one = connect(alice);
  auto cid = make_vm(one);
  auto vmm = run_vm(one, cid);
  end(one);
  CAF_CHECK_EQUAL(presses(vmm), 1);
  CAF_CHECK_EQUAL(vmm->killed, 0);
  // What else makes it unwanted begins no ladder anew.
  auto other = connect(alice);
  CAF_CHECK_EQUAL(attach(other, cid), "done");
  request<vm_info>(other, hold_atom::value, cid);
  request<vm_info>(other, drop_atom::value, cid);
  end(other);
  CAF_CHECK_EQUAL(presses(vmm), 1);
  pass(options.stop_grace);
  auto quits = std::count_if(vmm->requests.begin(), vmm->requests.end(),
                             [](const auto& asked) { return asked.what == io::vmm_request::quit; });
  CAF_CHECK_EQUAL(quits, 1);
}

CAF_TEST(an attach during the stop does not undo it) {
  auto one = connect(alice);
  auto cid = make_vm(one);
  auto vmm = run_vm(one, cid);
  tell(one, detach_atom::value, cid);
  CAF_CHECK_EQUAL(presses(vmm), 1);
  CAF_CHECK_EQUAL(attach(one, cid), "done");
  for (auto rung : {options.stop_grace, timeouts.quit, timeouts.terminate})
    pass(rung);
  CAF_CHECK_EQUAL(vmm->killed, 1);
}

CAF_TEST(a vm that was never started goes with its creator) {
  auto one = connect(alice);
  auto cid = make_vm(one);
  end(one);
  CAF_CHECK_EQUAL(state_of(cid), vm_state::dead);
}

CAF_TEST(a second holder keeps the vm) {
  auto one = connect(alice);
  auto two = connect(alice);
  auto cid = make_vm(one);
  auto vmm = run_vm(one, cid);
  CAF_CHECK_EQUAL(attach(two, cid), "done");
  CAF_CHECK_EQUAL(attach(two, cid), "done");
  end(one);
  CAF_CHECK_EQUAL(presses(vmm), 0);
  tell(two, detach_atom::value, cid);
  CAF_CHECK_EQUAL(presses(vmm), 1);
}

CAF_TEST(a detach of somebody who holds nothing drops nothing) {
  auto one = connect(alice);
  auto cid = make_vm(one);
  auto vmm = run_vm(one, cid);
  tell(connect(alice), detach_atom::value, cid);
  tell(connect(bob), detach_atom::value, cid);
  tell(one, detach_atom::value, vm_cid{60'000});
  CAF_CHECK_EQUAL(presses(vmm), 0);
}

CAF_TEST(a held vm lives by itself until it is dropped) {
  auto one = connect(alice);
  auto cid = make_vm(one);
  auto vmm = run_vm(one, cid);
  CAF_CHECK_EQUAL(refusal(request<vm_info>(one, hold_atom::value, cid)), "done");
  CAF_CHECK_EQUAL(refusal(request<vm_info>(one, hold_atom::value, cid)), "done");
  end(one);
  pass(1h);
  CAF_CHECK_EQUAL(presses(vmm), 0);
  auto later = connect(bob); // By `debug`, whose the VM is not.
  CAF_CHECK_EQUAL(refusal(request<vm_info>(later, drop_atom::value, cid)), "done");
  CAF_CHECK_EQUAL(presses(vmm), 1);
}

CAF_TEST(a lost connection keeps its reference for the grace period) {
  auto one = connect(alice);
  auto cid = make_vm(one);
  auto vmm = run_vm(one, cid);
  cut(one);
  pass(options.reference_grace - 1ms);
  CAF_CHECK_EQUAL(presses(vmm), 0);
  pass(1ms);
  CAF_CHECK_EQUAL(presses(vmm), 1);
}

CAF_TEST(who returns within the grace period keeps the vm) {
  auto one = connect(alice);
  auto cid = make_vm(one);
  auto vmm = run_vm(one, cid);
  cut(one);
  pass(options.reference_grace / 2);
  auto again = connect(user(1000, 4711)); // Another process of the same user.
  CAF_CHECK_EQUAL(attach(again, cid), "done");
  pass(1h);
  CAF_CHECK_EQUAL(presses(vmm), 0);
  end(again);
  CAF_CHECK_EQUAL(presses(vmm), 1);
}

CAF_TEST(another user s attach does not take a lost reference over) {
  auto one = connect(alice);
  auto cid = make_vm(one);
  auto vmm = run_vm(one, cid);
  auto word = request<ticket>(one, pass_atom::value, cid)->get();
  auto two = connect(bob);
  CAF_CHECK_EQUAL(refusal(request<vm_info>(two, pass_atom::value, word)), "done");
  cut(one);
  CAF_CHECK_EQUAL(attach(two, cid), "done");
  end(two);
  CAF_CHECK_EQUAL(presses(vmm), 0);
  pass(options.reference_grace);
  CAF_CHECK_EQUAL(presses(vmm), 1);
}

CAF_TEST(without a grace period a lost connection drops at once) {
  options.reference_grace = 0s;
  open();
  auto one = connect(alice);
  auto cid = make_vm(one);
  auto vmm = run_vm(one, cid);
  cut(one);
  CAF_CHECK_EQUAL(presses(vmm), 1);
}

CAF_TEST(a client that is gone before its vm is there leaves none) {
  auto one = connect(alice);
  ticket_list list{{deposit(one, some_fd())}};
  let_send(one, door, create_atom::value, small_vm("late"), list);
  CAF_REQUIRE(sched.try_run_once()); // The client says it, and is gone before it is heard.
  caf::anon_send_exit(one.handle, caf::exit_reason::user_shutdown);
  settle();
  auto all = ask<std::vector<vm_info>>(service, list_atom::value)->get();
  CAF_REQUIRE_EQUAL(all.size(), 1u);
  CAF_CHECK_EQUAL(all[0].state, vm_state::dead);
}

CAF_TEST(a dead vm is neither attached to nor held) {
  auto one = connect(alice);
  auto cid = make_vm(one);
  end_vm(run_vm(one, cid));
  auto number = std::to_string(cid);
  CAF_CHECK_EQUAL(attach(one, cid), "wrong_state: can't attach to VM " + number + ": it is dead");
  CAF_CHECK_EQUAL(refusal(request<vm_info>(one, hold_atom::value, cid)),
                  "wrong_state: can't hold VM " + number + ": it is dead");
  CAF_CHECK_EQUAL(refusal(request<vm_info>(one, drop_atom::value, cid)), "done");
}

CAF_TEST(the reference of a cid s last vm is not its next one s) {
  serving.cids = {2048, 2048};
  serving.timeouts.forget = 1s;
  options.reference_grace = 1min;
  open();
  auto one = connect(alice);
  auto cid = make_vm(one);
  auto vmm = run_vm(one, cid);
  cut(one);
  end_vm(vmm);
  pass(1s);
  auto two = connect(alice);
  CAF_CHECK_EQUAL(make_vm(two), cid);
  auto next = run_vm(two, cid);
  pass(1min);
  CAF_CHECK_EQUAL(presses(next), 0);
}

CAF_TEST(one principal s holders of a vm are bounded) {
  auto one = connect(alice);
  auto cid = make_vm(one);
  for (std::size_t i = 1; i < options.bounds.references_per_user; ++i)
    CAF_REQUIRE_EQUAL(attach(connect(alice), cid), "done");
  CAF_CHECK_EQUAL(attach(connect(alice), cid), "busy: uid 1000 has 64 references to VM "
                                                 + std::to_string(cid)
                                                 + ", as many as one user may have "
                                                   "(limits.references_per_user)");
}

CAF_TEST(holders of dead vms and dead holders are not kept) {
  auto keeper = connect(alice);
  auto cid = make_vm(keeper);
  auto weak = [&] {
    auto one = connect(alice);
    attach(one, cid);
    end(one);
    auto left = caf::actor_cast<caf::weak_actor_ptr>(one.handle);
    spawned.pop_back();
    return left;
  }();
  CAF_CHECK(weak.lock() == nullptr);
  auto living = connect(alice);
  attach(living, cid);
  end_vm(run_vm(keeper, cid));
  pass(1h); // It is forgotten.
  CAF_CHECK_EQUAL(attach(living, cid), "no_such_vm: no VM with CID " + std::to_string(cid));
}

CAF_TEST_FIXTURE_SCOPE_END()
