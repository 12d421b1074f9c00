// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/pulse.hpp"

#include "crosvisor/tests/service/daemon/fake_service.hpp"

#undef CAF_SUITE
#define CAF_SUITE service.daemon.pulse

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture : actor_fixture {
  fake_service_words words = std::make_shared<fake_service_script>();
  fake_service_actor service = ends_with_test(sys.spawn(fake_service, words));
  std::shared_ptr<std::string> said = std::make_shared<std::string>();
  pulse_actor pulse;

  void begin(std::optional<caf::timespan> watchdog = std::nullopt) {
    auto notify = [said = said](const std::string& state) { *said += state + '|'; };
    pulse = ends_with_test(spawn_pulse(sys, {service, notify, watchdog}));
    settle();
  }

  /// What was told since the last time.
  std::string told() { return std::exchange(*said, ""); }

  void add_vm(vm_state state = vm_state::started) {
    vm_info vm;
    vm.state = state;
    words->vms.push_back(vm);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(pulse_tests, fixture)

CAF_TEST(the number of vms is told when it changes) {
  begin();
  CAF_CHECK_EQUAL(told(), "STATUS=0 VMs|");
  pass(1s);
  CAF_CHECK_EQUAL(told(), "");
  add_vm();
  pass(1s);
  CAF_CHECK_EQUAL(told(), "STATUS=1 VM|");
  add_vm();
  add_vm(vm_state::dead);
  pass(1s);
  CAF_CHECK_EQUAL(told(), "STATUS=2 VMs|");
}

CAF_TEST(the service is asked once a second) {
  begin();
  CAF_CHECK_EQUAL(words->listed, 1);
  pass(999ms);
  CAF_CHECK_EQUAL(words->listed, 1);
  for (int i = 0; i < 5; ++i)
    pass(1s);
  CAF_CHECK_EQUAL(words->listed, 6);
}

CAF_TEST(a remark follows the number) {
  begin();
  told();
  self->send(pulse, caf::put_atom::value, std::string{"one\ntwo"});
  settle();
  CAF_CHECK_EQUAL(told(), "STATUS=0 VMs; one\\x0atwo|");
  add_vm();
  pass(1s);
  CAF_CHECK_EQUAL(told(), "STATUS=1 VM; one\\x0atwo|");
  self->send(pulse, caf::put_atom::value, std::string{});
  settle();
  CAF_CHECK_EQUAL(told(), "STATUS=1 VM|");
}

CAF_TEST(the watchdog is petted at half of its interval) {
  begin(20s);
  CAF_CHECK_EQUAL(told(), "STATUS=0 VMs|WATCHDOG=1|");
  for (int i = 0; i < 9; ++i)
    pass(1s);
  CAF_CHECK_EQUAL(told(), "");
  pass(1s);
  CAF_CHECK_EQUAL(told(), "WATCHDOG=1|");
  for (int i = 0; i < 100; ++i)
    pass(1s);
  CAF_CHECK_EQUAL(told().size(), 10 * std::string{"WATCHDOG=1|"}.size());
}

CAF_TEST(a short watchdog is petted in time) {
  begin(200ms);
  told();
  for (int i = 0; i < 10; ++i) {
    pass(100ms);
    CAF_CHECK_EQUAL(told(), "WATCHDOG=1|");
  }
}

CAF_TEST(a stuck service is not petted and gets one question) {
  begin(20s);
  told();
  words->answers = false;
  for (int i = 0; i < 20; ++i)
    pass(1s);
  CAF_CHECK_EQUAL(told(), "");
  CAF_CHECK_EQUAL(words->listed, 2);
}

CAF_TEST(a service that comes back is petted again) {
  begin(20s);
  words->answers = false;
  pass(1s);
  told();
  words->answers = true;
  caf::anon_send(service, finished_atom::value);
  for (int i = 0; i < 25; ++i)
    pass(1s);
  CAF_CHECK(told().find("WATCHDOG=1") != std::string::npos);
}

CAF_TEST(a dead service is not petted) {
  begin(20s);
  told();
  caf::anon_send_exit(service, caf::exit_reason::kill);
  settle();
  for (int i = 0; i < 60; ++i)
    pass(1s);
  CAF_CHECK_EQUAL(told(), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
