// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/actors/supervised_vm.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor_requests

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_request_tests, supervised_vm)

CAF_TEST(suspend and resume ask the vmm and are told) {
  start_and_run();
  auto suspended = ask<vm_info>(vm, suspend_atom::value);
  CAF_CHECK(vmm().requests.back().what == io::vmm_request::suspend);
  CAF_CHECK(suspended->pending());
  answer({});
  CAF_REQUIRE(suspended->value);
  CAF_CHECK(suspended->value->suspended);
  CAF_CHECK_EQUAL(to_string(suspended->value->state), "started");
  auto resumed = ask<vm_info>(vm, resume_atom::value);
  answer({});
  CAF_CHECK(!resumed->value->suspended);
  CAF_CHECK_EQUAL(story(), "created starting started suspended resumed");
}

CAF_TEST(repeating them asks nobody) {
  start_and_run();
  CAF_CHECK(ask<vm_info>(vm, resume_atom::value)->value);
  CAF_CHECK(vmm().requests.empty());
  ask<vm_info>(vm, suspend_atom::value);
  answer({});
  CAF_CHECK(ask<vm_info>(vm, suspend_atom::value)->value);
  CAF_CHECK_EQUAL(vmm().requests.size(), 1u);
}

CAF_TEST(two suspends under way are told once) {
  start_and_run();
  auto first = ask<vm_info>(vm, suspend_atom::value);
  auto second = ask<vm_info>(vm, suspend_atom::value);
  vmm().requests[0].done({});
  vmm().requests[1].done({});
  settle();
  CAF_CHECK(first->value);
  CAF_CHECK(second->value);
  CAF_CHECK_EQUAL(story(), "created starting started suspended");
}

CAF_TEST(they are refused when no guest runs) {
  CAF_CHECK_EQUAL(ask<vm_info>(vm, suspend_atom::value)->why(), vm_errc::wrong_state);
  start();
  CAF_CHECK_EQUAL(ask<vm_info>(vm, resume_atom::value)->why(), vm_errc::wrong_state);
  vmm().callbacks.on_up(1);
  settle();
  stop();
  CAF_CHECK_EQUAL(ask<vm_info>(vm, suspend_atom::value)->why(), vm_errc::wrong_state);
  exit_with(death_reason::shutdown);
  CAF_CHECK_EQUAL(ask<vm_info>(vm, suspend_atom::value)->why(), vm_errc::wrong_state);
}

CAF_TEST(a vmm that says no or nothing is an error of its own) {
  start_and_run();
  auto refused = ask<vm_info>(vm, suspend_atom::value);
  answer(io::failure{0, "not now"});
  CAF_CHECK_EQUAL(refused->why(), vm_errc::vmm_refused);
  CAF_CHECK_EQUAL(sentence_of(refused->why()), "not now");
  auto late = ask<vm_info>(vm, suspend_atom::value);
  answer(io::failure{ETIMEDOUT, "no answer within 5 s"});
  CAF_CHECK_EQUAL(late->why(), vm_errc::timed_out);
  CAF_CHECK(!info().suspended);
}

CAF_TEST(the balloon is read and set) {
  start_and_run();
  auto read = ask<balloon_info>(vm, caf::get_atom::value, balloon_atom::value);
  vmm().balloon_reads.at(0)(balloon_info{64u << 20, 128u << 20});
  settle();
  CAF_REQUIRE(read->value);
  CAF_CHECK_EQUAL(read->value->size_bytes, 64u << 20);
  auto set =
    ask<caf::ok_atom>(vm, caf::put_atom::value, balloon_atom::value, std::uint64_t{32u << 20});
  CAF_CHECK_EQUAL(vmm().balloon_writes.at(0).first, 32u << 20);
  vmm().balloon_writes.at(0).second({});
  settle();
  CAF_CHECK(set->value);
}

CAF_TEST(a balloon larger than the vm is refused before the vmm is asked) {
  start_and_run();
  auto set = ask<caf::ok_atom>(vm, caf::put_atom::value, balloon_atom::value,
                               (std::uint64_t{128} << 20) + 1);
  CAF_CHECK_EQUAL(set->why(), vm_errc::invalid_config);
  CAF_CHECK(vmm().balloon_writes.empty());
}

CAF_TEST(balloon requests are refused when no guest runs) {
  CAF_CHECK_EQUAL(ask<balloon_info>(vm, caf::get_atom::value, balloon_atom::value)->why(),
                  vm_errc::wrong_state);
  CAF_CHECK_EQUAL(
    ask<caf::ok_atom>(vm, caf::put_atom::value, balloon_atom::value, std::uint64_t{0})->why(),
    vm_errc::wrong_state);
}

CAF_TEST(a balloon answer that fails is passed on) {
  start_and_run();
  auto read = ask<balloon_info>(vm, caf::get_atom::value, balloon_atom::value);
  vmm().balloon_reads.at(0)(io::failure{0, "the guest has no balloon driver"});
  settle();
  CAF_CHECK_EQUAL(read->why(), vm_errc::vmm_refused);
  auto set = ask<caf::ok_atom>(vm, caf::put_atom::value, balloon_atom::value, std::uint64_t{0});
  vmm().balloon_writes.at(0).second(io::failure{ETIMEDOUT, "no answer"});
  settle();
  CAF_CHECK_EQUAL(set->why(), vm_errc::timed_out);
}

CAF_TEST(an answer after death is dropped) {
  start_and_run();
  auto suspended = ask<vm_info>(vm, suspend_atom::value);
  auto request = vmm().requests.back();
  exit_with(death_reason::crash);
  request.done({});
  settle();
  CAF_CHECK(suspended->value);
  CAF_CHECK(!info().suspended);
}

CAF_TEST(an answer that nobody expected does the vm no harm) {
  start_and_run();
  // A message instead of a request: the answer reaches the sender as one that it does not know.
  caf::send_as(caf::actor_cast<caf::actor>(listeners.at(0)), vm, caf::get_atom::value,
               state_atom::value);
  settle();
  CAF_CHECK_EQUAL(to_string(info().state), "started");
  CAF_CHECK_EQUAL(vmm().killed, 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
