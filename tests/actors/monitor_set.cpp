// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/monitor_set.hpp"

#include "crosvisor/tests/actors/fixture.hpp"

#include <caf/stateful_actor.hpp>

#undef CAF_SUITE
#define CAF_SUITE actors.monitor_set

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct downs {
  std::size_t seen = 0;
};

/// Monitors somebody as often as is said.
caf::behavior watch(caf::stateful_actor<actors::monitoring>* self, const caf::actor_addr& whom,
                    int reasons, const std::shared_ptr<downs>& told) {
  self->set_down_handler([self, told](const caf::down_msg& gone) {
    ++told->seen;
    self->state.monitors.forget(gone.source);
  });
  for (int i = 0; i < reasons; ++i)
    self->state.monitors.add(whom);
  return {[self, whom](caf::ok_atom) { self->state.monitors.remove(whom); }};
}

struct fixture : actor_fixture {
  caf::actor lasting = ends_with_test(
    sys.spawn([](caf::event_based_actor*) { return caf::behavior{[](caf::ok_atom) {}}; }));
  std::shared_ptr<downs> told = std::make_shared<downs>();

  caf::actor spawn_watcher(int reasons) {
    auto watcher = sys.spawn(watch, lasting.address(), reasons, told);
    settle();
    return watcher;
  }

  void end(const caf::actor& who) {
    caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
    settle();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(monitor_set_tests, fixture)

CAF_TEST(whoever is monitored for many reasons is told of once) {
  auto watcher = ends_with_test(spawn_watcher(3));
  end(lasting);
  CAF_CHECK_EQUAL(told->seen, 1u);
}

CAF_TEST(the last reason ends it) {
  auto watcher = ends_with_test(spawn_watcher(2));
  caf::anon_send(watcher, caf::ok_atom::value);
  caf::anon_send(watcher, caf::ok_atom::value);
  settle();
  end(lasting);
  CAF_CHECK_EQUAL(told->seen, 0u);
}

CAF_TEST(one reason less is no end) {
  auto watcher = ends_with_test(spawn_watcher(2));
  caf::anon_send(watcher, caf::ok_atom::value);
  settle();
  end(lasting);
  CAF_CHECK_EQUAL(told->seen, 1u);
}

CAF_TEST(whom it monitored keeps nothing of an actor that has ended) {
  auto watcher = spawn_watcher(2);
  auto address = watcher.address();
  end(watcher);
  watcher = nullptr;
  // Ours alone; another one would keep the actor's memory.
  CAF_CHECK_EQUAL(caf::actor_cast<caf::actor_control_block*>(address)->weak_refs.load(), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
