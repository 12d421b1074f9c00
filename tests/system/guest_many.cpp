// SPDX-License-Identifier: Apache-2.0
// Many real guests at once.
#include "crosvisor/tests/system/guest_vm.hpp"

#include <caf/test/dsl.hpp>

#include <set>

#undef CAF_SUITE
#define CAF_SUITE guest.many

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

CAF_TEST_FIXTURE_SCOPE(guest_many, guest_host)

CAF_TEST(ten guests at once all greet and power off) {
  constexpr std::size_t count = 10;
  std::vector<std::unique_ptr<guest_vm>> vms;
  std::set<vm_cid> cids;
  for (std::size_t i = 0; i < count; ++i) {
    auto plan = guest_plan{"poweroff"};
    vms.push_back(std::make_unique<guest_vm>(*this, std::move(plan.memory(96))));
    cids.insert(vms.back()->info().cid);
  }
  CAF_CHECK_EQUAL(cids.size(), count);
  for (auto& vm : vms)
    vm->begin_start();
  for (auto& vm : vms)
    vm->await(vm_event_kind::started);
  CAF_CHECK_EQUAL(list().size(), count);
  for (auto& vm : vms) {
    CAF_CHECK_EQUAL(summary_of(vm->await_death(300s)), "shutdown, code 0");
    CAF_CHECK(vm->open_output().receive_all().starts_with("Hello from the payload: Linux "));
  }
}

CAF_TEST(the death of one guest is nothing to another) {
  output_pipe console;
  guest_vm steady{*this, guest_plan{"tick"}.name("steady").console(console)};
  steady.start();
  CAF_REQUIRE(console.wait_for("tick 1\r\n", boot_bound));
  guest_vm panicking{*this, guest_plan{"panic"}};
  panicking.start();
  CAF_CHECK_EQUAL(to_string(panicking.await_death().reason), "crash");
  CAF_CHECK_EQUAL(to_string(steady.state().state), "ready");
  auto seen = console.text().size();
  CAF_CHECK(console.wait_for("tick 5\r\n", step_bound));
  CAF_CHECK_GREATER(console.text().size(), seen);
}

CAF_TEST_FIXTURE_SCOPE_END()
