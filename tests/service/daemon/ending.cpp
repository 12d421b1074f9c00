// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/ending.hpp"

#include "crosvisor/tests/service/daemon/fake_service.hpp"

#undef CAF_SUITE
#define CAF_SUITE service.daemon.ending

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture : actor_fixture {
  fake_service_words words = std::make_shared<fake_service_script>();
  fake_service_actor service = ends_with_test(sys.spawn(fake_service, words));
  service_actor other = ends_with_test(sys.spawn(fake_service, words)); // As vital.
  std::shared_ptr<std::vector<daemon_end>> ends = std::make_shared<std::vector<daemon_end>>();
  ending_actor ending;

  fixture() {
    std::vector<caf::strong_actor_ptr> vital{caf::actor_cast<caf::strong_actor_ptr>(service),
                                             caf::actor_cast<caf::strong_actor_ptr>(other)};
    auto ended = [ends = ends](daemon_end how, const std::string&) { ends->push_back(how); };
    ending = ends_with_test(spawn_ending(sys, {service, std::move(vital), ended}));
    settle();
  }

  void stop() {
    caf::anon_send(ending, stop_atom::value, caf::timespan{10s}, caf::timespan{60s});
    settle();
  }

  /// How it ended, which it does once.
  bool ended(daemon_end how) const { return ends->size() == 1 && ends->front() == how; }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(ending_tests, fixture)

CAF_TEST(a stop drains the service) {
  stop();
  CAF_CHECK(words->drained == caf::timespan{10s});
  CAF_CHECK(ends->empty());
  caf::anon_send(service, finished_atom::value);
  settle();
  CAF_CHECK(ended(daemon_end::drained));
}

CAF_TEST(the bound ends it) {
  stop();
  pass(59s);
  CAF_CHECK(ends->empty());
  pass(1s);
  CAF_CHECK(ended(daemon_end::expired));
}

CAF_TEST(a second stop ends it at once) {
  stop();
  stop();
  CAF_CHECK(ended(daemon_end::hurried));
  stop();
  pass(60s);
  CAF_CHECK(ended(daemon_end::hurried));
}

CAF_TEST(it ends with the service and with what else is vital) {
  caf::anon_send_exit(other, caf::exit_reason::kill);
  settle();
  CAF_CHECK(ended(daemon_end::broken));
}

CAF_TEST(a drain goes on without what else is vital) {
  stop();
  caf::anon_send_exit(other, caf::exit_reason::kill);
  settle();
  CAF_CHECK(ends->empty());
  caf::anon_send(service, finished_atom::value);
  settle();
  CAF_CHECK(ended(daemon_end::drained));
}

CAF_TEST(a service leaves its VMs) {
  caf::anon_send(ending, leave_atom::value, caf::timespan{20s});
  settle();
  CAF_CHECK_EQUAL(words->left, 1);
  CAF_CHECK(!words->drained);
  CAF_CHECK(ends->empty());
  caf::anon_send(service, finished_atom::value);
  settle();
  CAF_CHECK(ended(daemon_end::left));
}

CAF_TEST(a stop while it leaves ends it at once and a leave while it stops is in vain) {
  caf::anon_send(ending, leave_atom::value, caf::timespan{20s});
  settle();
  stop();
  CAF_CHECK(ended(daemon_end::hurried));
}

CAF_TEST(a service that dies while it drains is no surprise) {
  stop();
  caf::anon_send_exit(service, caf::exit_reason::kill);
  settle();
  CAF_CHECK(ended(daemon_end::expired));
}

CAF_TEST_FIXTURE_SCOPE_END()
