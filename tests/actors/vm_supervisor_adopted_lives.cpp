// SPDX-License-Identifier: Apache-2.0
// VMs that were there before their supervisor, and are started again.
#include "crosvisor/tests/actors/vm_of_keeper.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor_adopted_lives

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;
using actors::ending_note;

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_adopted_lives_tests, vm_of_keeper)

CAF_TEST(an adopted vm without a policy fetches no files) {
  adopt();
  CAF_CHECK(vmm().origins.empty());
}

CAF_TEST(an adopted vm that crashes is started again from what its keeper kept) {
  kept.config.restart = restart_policy::on_failure;
  kept.notes[actors::restarts_note] = "3";
  adopt();
  give_origin();
  replay_up();
  sync();
  exit_with(death_reason::crash);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
  CAF_CHECK_EQUAL(info().restarts, 4u);
  pass(1s);
  vmm().aside_done();
  settle();
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 1u);
  auto& next = *launcher->launched[0];
  CAF_CHECK_EQUAL(next.request.cid, 2050u);
  CAF_CHECK_EQUAL(next.request.config.params, "original");
  CAF_CHECK_EQUAL(next.request.notes.at(actors::restarts_note), "4");
  CAF_CHECK_EQUAL(next.request.notes.at("door.references"), "2");
  next.callbacks.on_up(4712);
  settle();
  CAF_CHECK_EQUAL(to_string(info().state), "started");
}

CAF_TEST(files that the keeper has not given yet are waited for) {
  kept.config.restart = restart_policy::on_failure;
  adopt();
  replay_up();
  sync();
  exit_with(death_reason::crash);
  pass(1s);
  CAF_CHECK(vmm().aside_done == nullptr);
  give_origin();
  vmm().aside_done();
  settle();
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
}

CAF_TEST(without its files an adopted vm is given up) {
  kept.config.restart = restart_policy::on_failure;
  adopt();
  vmm().origins.at(0)(io::failure{95, "not kept"});
  settle();
  replay_up();
  sync();
  exit_with(death_reason::crash);
  pass(1s);
  CAF_CHECK_EQUAL(story(), "1:created 2:starting 3:started 4:restarting 5:given_up 6:dead");
  CAF_CHECK_EQUAL(told->back().detail, "not kept");
}

CAF_TEST(a restart that was told is not told again and goes on) {
  kept.config.restart = restart_policy::on_failure;
  tell_until_ready();
  tell_before({{vm_event_kind::restarting, vm_state::not_started}});
  adopt();
  give_origin();
  replay_ready();
  exit_with(death_reason::crash);
  sync();
  CAF_CHECK_EQUAL(story(), "6:restarting");
  CAF_CHECK_EQUAL(to_string(info().state), "not_started");
  CAF_CHECK_EQUAL(info().restarts, 1u);
  pass(1s);
  vmm().aside_done();
  settle();
  launcher->launched.at(0)->callbacks.on_up(1);
  settle();
  CAF_CHECK_EQUAL(story(), "6:restarting 7:starting 8:started");
}

CAF_TEST(a next life whose start was told is not told to start again) {
  kept.config.restart = restart_policy::on_failure;
  tell_until_ready();
  tell_before({{vm_event_kind::restarting, vm_state::not_started},
               {vm_event_kind::starting, vm_state::starting}});
  adopt();
  give_origin();
  replay_ready();
  exit_with(death_reason::crash);
  sync();
  pass(1s);
  vmm().aside_done();
  settle();
  launcher->launched.at(0)->callbacks.on_up(1);
  settle();
  CAF_CHECK_EQUAL(story(), "7:starting 8:started");
}

CAF_TEST(a later life is told from where it was told) {
  kept.config.restart = restart_policy::on_failure;
  kept.notes[actors::restarts_note] = "1";
  tell_until_ready();
  tell_before({{vm_event_kind::restarting, vm_state::not_started},
               {vm_event_kind::starting, vm_state::starting}});
  adopt();
  replay_ready();
  CAF_CHECK_EQUAL(story(), "7:starting 8:started 9:payload_started 10:ready");
}

CAF_TEST(a next life that fails at whoever adopts it leaves its place to the last one) {
  kept.config.restart = restart_policy::on_failure;
  kept.notes[actors::restarts_note] = "1";
  auto last = std::make_shared<fake_vmm>();
  launcher->kept_last[kept.cid] = last;
  adopt();
  CAF_CHECK(last->origins.empty());
  vmm().origins.at(0)(io::failure{32, "its keeper has ended"});
  settle();
  last->origins.at(0)(
    io::vm_origin{kept.config, kept.choice, std::make_shared<const io::descriptor_set>()});
  vmm().callbacks.on_launch_failed(io::launch_failure::host, "no room");
  settle();
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
  CAF_CHECK_EQUAL(info().restarts, 2u);
  CAF_CHECK_EQUAL(last->notes.at(actors::restarts_note), "1");
  pass(1s);
  vmm().aside_done();
  settle();
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 1u);
  CAF_CHECK(last.use_count() > 1);
  launcher->launched[0]->callbacks.on_up(1);
  settle();
  CAF_CHECK_EQUAL(last.use_count(), 1);
}

CAF_TEST(a next life that has begun lets go of the last one) {
  kept.notes[actors::restarts_note] = "1";
  auto last = std::make_shared<fake_vmm>();
  launcher->kept_last[kept.cid] = last;
  adopt();
  CAF_CHECK(last.use_count() > 1);
  replay_up();
  CAF_CHECK_EQUAL(last.use_count(), 1);
}

CAF_TEST(a stopped vm is not started again by who adopts it) {
  kept.config.restart = restart_policy::always;
  kept.notes[ending_note] = "stop 10000";
  adopt();
  replay_up();
  exit_with(death_reason::shutdown);
  sync();
  CAF_CHECK_EQUAL(to_string(told->back().kind), "dead");
}

CAF_TEST(a guest that was killed for its silence is started again) {
  kept.config.restart = restart_policy::on_failure;
  kept.notes[ending_note] = "hung";
  adopt();
  replay_up();
  exit_with(death_reason::killed, exit_kind::signal, 9);
  sync();
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "hangup");
}

CAF_TEST_FIXTURE_SCOPE_END()
