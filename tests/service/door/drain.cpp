// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/service/door/fixture.hpp"

#undef CAF_SUITE
#define CAF_SUITE service.door.drain

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture : door_fixture {
  client a = connect(user(1000));
  client root = connect(user(0));

  fixture() { grant(a.who, {permission::manage, permission::custom}); }

  std::shared_ptr<outcome<caf::ok_atom>> drain() {
    return request<caf::ok_atom>(root, drain_atom::value, caf::timespan{5s});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(drain_tests, fixture)

CAF_TEST(an empty service is drained at once and creates nothing after it) {
  CAF_CHECK_EQUAL(refusal(drain()), "done");
  CAF_CHECK_EQUAL(refusal(drain()), "done");
  CAF_CHECK_EQUAL(refusal(create(a)),
                  "shutting_down: the service is being drained, and creates no VM meanwhile");
  CAF_CHECK_EQUAL(refusal(request<host_info>(a, caf::get_atom::value, host_atom::value)), "done");
}

CAF_TEST(a drain is answered when each vm is dead) {
  auto one = run_vm(a, make_vm(a));
  auto two = run_vm(a, make_vm(a));
  make_vm(a); // Never started.
  auto answer = drain();
  CAF_CHECK_EQUAL(one->requests.size(), 1u);
  CAF_CHECK_EQUAL(two->requests.size(), 1u);
  CAF_CHECK(answer->pending());
  end_vm(one);
  CAF_CHECK(answer->pending());
  end_vm(two);
  CAF_CHECK_EQUAL(refusal(answer), "done");
}

CAF_TEST(a vm that is lost ends a drain as well) {
  auto cid = make_vm(a);
  run_vm(a, cid);
  auto answer = drain();
  auto vm = ask<vm_actor>(service, caf::get_atom::value, cid)->get();
  caf::anon_send_exit(vm, caf::exit_reason::kill);
  settle();
  CAF_CHECK_EQUAL(refusal(answer), "done");
}

CAF_TEST(a drain that is ended says so and VMs are created again) {
  run_vm(a, make_vm(a));
  auto answer = drain();
  CAF_CHECK_EQUAL(refusal(request<caf::ok_atom>(root, resume_atom::value)), "done");
  CAF_CHECK_EQUAL(refusal(answer), "cancelled: the drain was ended by a later request");
  CAF_CHECK_EQUAL(refusal(create(a)), "done");
}

CAF_TEST(root alone drains) {
  CAF_CHECK_EQUAL(refusal(request<caf::ok_atom>(a, drain_atom::value, caf::timespan{})),
                  "denied: drain is about everybody's VMs, and root's alone; this is uid 1000");
  CAF_CHECK_EQUAL(refusal(create(a)), "done");
}

CAF_TEST_FIXTURE_SCOPE_END()
