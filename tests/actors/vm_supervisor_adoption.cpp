// SPDX-License-Identifier: Apache-2.0
// VMs that were there before their supervisor.
#include "crosvisor/tests/actors/vm_of_keeper.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor_adoption

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;
using actors::created_note;
using actors::ending_note;
using actors::owner_note;

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_adoption_tests, vm_of_keeper)

CAF_TEST(an adopted vm is who it was) {
  adopt();
  auto now = info();
  CAF_CHECK_EQUAL(now.cid, 2050u);
  CAF_CHECK_EQUAL(now.name, "demo");
  CAF_CHECK_EQUAL(now.owner.uid, 1000u);
  CAF_CHECK_EQUAL(now.owner.groups, (std::vector<std::uint32_t>{27, 100}));
  CAF_CHECK_EQUAL(now.created_ms, 1700000000000);
  CAF_CHECK_EQUAL(notes.at("door.references"), "2");
  CAF_CHECK(vmm().request.streams == streams->made.at(0));
}

CAF_TEST(what was told is not told again and late subscribers get its old number) {
  tell_until_ready();
  adopt();
  replay_ready();
  sync();
  CAF_CHECK_EQUAL(story(), "5:ready");
  auto late = listen(vm);
  CAF_REQUIRE_EQUAL(late->size(), 1u);
  CAF_CHECK_EQUAL(late->front().seq, 5u);
  auto now = info();
  CAF_CHECK_EQUAL(to_string(now.state), "ready");
  CAF_CHECK(now.payload.started);
  CAF_CHECK_EQUAL(now.vmm_pid, 4711);
}

CAF_TEST(what happened in between is told once and goes on counting) {
  tell_until_ready();
  adopt();
  replay_ready();
  guest().callbacks.on_status({payload_status_kind::finished, 7, payload_error::unknown, ""});
  settle();
  exit_with(death_reason::shutdown);
  sync();
  CAF_CHECK_EQUAL(story(), "5:ready 6:finished 7:dead");
  CAF_CHECK_EQUAL(told->back().payload.exit_code, 7);
  CAF_CHECK_EQUAL(to_string(told->back().reason), "shutdown");
}

CAF_TEST(the first subscriber misses nothing however late it comes) {
  tell_until_ready();
  launcher->kept.insert(kept.cid);
  spawn_registry({kept}, {{2050, history}});
  replay_ready();
  guest().callbacks.on_status({payload_status_kind::error, 0, payload_error::unknown, "x"});
  guest().callbacks.on_status({payload_status_kind::finished, 7, payload_error::unknown, ""});
  settle();
  exit_with(death_reason::shutdown);
  find_adopted();
  CAF_CHECK_EQUAL(story(), "6:payload_error 7:finished 8:dead");
  CAF_CHECK_EQUAL(listen(vm)->size(), 1u);
}

CAF_TEST(a vm that nobody was told of is told from the beginning) {
  adopt();
  replay_up();
  CAF_CHECK_EQUAL(story(), "1:created 2:starting 3:started");
}

CAF_TEST(a death that was told already is remembered and not repeated) {
  tell_until_ready();
  tell_before({{vm_event_kind::dead, vm_state::dead}});
  adopt();
  CAF_CHECK_EQUAL(to_string(info().state), "dead");
  replay_ready();
  exit_with(death_reason::crash);
  sync();
  CAF_CHECK_EQUAL(story(), "6:dead");
  CAF_CHECK_EQUAL(to_string(info().state), "dead");
  CAF_CHECK_EQUAL(to_string(info().reason), "crash");
  CAF_CHECK(vmm().release_done != nullptr);
}

CAF_TEST(nobody sees an older state while the keeper tells again) {
  tell_until_ready();
  adopt();
  CAF_CHECK_EQUAL(to_string(info().state), "ready");
  CAF_CHECK_EQUAL(to_string(listed().state), "ready");
  replay_up();
  CAF_CHECK_EQUAL(to_string(listed().state), "ready");
  sync();
  CAF_CHECK_EQUAL(to_string(listed().state), "started");
}

CAF_TEST(a connection from before the end is read before the death) {
  streams->finish_at_once = false;
  adopt();
  vmm().callbacks.on_up(4711);
  vmm().callbacks.on_connection(payload_status_port, std::make_shared<io::unique_fd>());
  vmm().callbacks.on_exit({exit_kind::code, 0, death_reason::shutdown, ""});
  settle();
  CAF_CHECK_EQUAL(guest().statuses.size(), 1u);
  CAF_CHECK_EQUAL(guest().finishes, 1);
  guest().callbacks.on_status({payload_status_kind::finished, 7, payload_error::unknown, ""});
  guest().finish_done();
  settle();
  CAF_CHECK_EQUAL(to_string(told->back().kind), "dead");
  CAF_CHECK_EQUAL(told->back().payload.exit_code, 7);
}

CAF_TEST(a keeper that never says that it is done is done after a while) {
  tell_until_ready();
  adopt();
  replay_up();
  pass(timeouts.replay);
  CAF_CHECK_EQUAL(to_string(info().state), "started");
}

CAF_TEST(a suspended vm stays suspended and its hang watch stands still) {
  kept.config.guest_protocol = true;
  tell_before({{vm_event_kind::created, vm_state::not_started},
               {vm_event_kind::starting, vm_state::starting},
               {vm_event_kind::started, vm_state::started},
               {vm_event_kind::suspended, vm_state::started}});
  adopt();
  replay_up();
  sync();
  CAF_CHECK(info().suspended);
  pass(timeouts.hangup_slow * 2);
  CAF_CHECK_EQUAL(vmm().killed, 0);
  auto resumed = ask<vm_info>(vm, resume_atom::value);
  vmm().requests.at(0).done({});
  settle();
  CAF_CHECK(!resumed->get().suspended);
  CAF_CHECK_EQUAL(story(), "3:started 5:resumed");
}

CAF_TEST(a silent guest is still waited for and then has hung) {
  kept.config.guest_protocol = true;
  adopt();
  replay_up();
  sync();
  pass(timeouts.hangup_slow);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  CAF_CHECK_EQUAL(vmm().notes.at(ending_note), "hung");
  exit_with(death_reason::killed, exit_kind::signal, 9);
  CAF_CHECK_EQUAL(to_string(told->back().reason), "hangup");
}

CAF_TEST(a stop that was under way goes on once all was told) {
  kept.notes[ending_note] = "stop 5000";
  adopt();
  replay_up();
  CAF_CHECK(vmm().requests.empty());
  sync();
  CAF_REQUIRE_EQUAL(vmm().requests.size(), 1u);
  CAF_CHECK(vmm().requests[0].what == io::vmm_request::power_button);
  pass(5s);
  CAF_CHECK(vmm().requests.back().what == io::vmm_request::quit);
  exit_with(death_reason::killed, exit_kind::signal, 15);
  CAF_CHECK_EQUAL(told->back().detail, "stopped on request");
}

CAF_TEST(a stop that had done its work explains the end) {
  kept.notes[ending_note] = "stop 5000";
  adopt();
  replay_up();
  exit_with(death_reason::unknown, exit_kind::code, 1);
  sync();
  CAF_CHECK(vmm().requests.empty());
  CAF_CHECK_EQUAL(to_string(told->back().reason), "killed");
}

CAF_TEST(a kill that was under way is done again) {
  kept.notes[ending_note] = "kill";
  adopt();
  replay_up();
  sync();
  CAF_CHECK_EQUAL(vmm().killed, 1);
}

CAF_TEST(a vmm that was killed for its silence has died of that) {
  kept.notes[ending_note] = "hung";
  adopt();
  replay_up();
  exit_with(death_reason::killed, exit_kind::signal, 9);
  sync();
  CAF_CHECK_EQUAL(to_string(told->back().reason), "hangup");
}

CAF_TEST(a stop asked for while the keeper tells again waits for that) {
  adopt();
  auto stopped = ask<vm_info>(vm, stop_atom::value, caf::timespan{10s});
  CAF_CHECK_EQUAL(vmm().terminated, 0);
  CAF_CHECK_EQUAL(vmm().notes.at(ending_note), "stop 10000");
  replay_up();
  sync();
  CAF_REQUIRE_EQUAL(vmm().requests.size(), 1u);
  CAF_CHECK(vmm().requests[0].what == io::vmm_request::power_button);
  exit_with(death_reason::shutdown);
  CAF_CHECK_EQUAL(to_string(stopped->get().state), "dead");
}

CAF_TEST(a kill asked for then is not softened by a stop) {
  adopt();
  ask<vm_info>(vm, kill_atom::value);
  ask<vm_info>(vm, stop_atom::value, caf::timespan{10s});
  replay_up();
  sync();
  CAF_CHECK_EQUAL(vmm().killed, 1);
  CAF_CHECK(vmm().requests.empty());
}

CAF_TEST(a request that needs the vm says that it is being taken back) {
  adopt();
  auto suspended = ask<vm_info>(vm, suspend_atom::value);
  CAF_CHECK_EQUAL(sentence_of(suspended->why()),
                  "can't suspend VM 2050: it is starting and being taken back");
}

CAF_TEST(a launch that failed meanwhile is a death) {
  adopt();
  vmm().callbacks.on_launch_failed(io::launch_failure::host, "no space");
  settle();
  CAF_CHECK_EQUAL(story(), "1:created 2:starting 3:dead");
  CAF_CHECK_EQUAL(told->back().detail, "no space");
}

CAF_TEST(a keeper that does not give its vm back is a dead vm) {
  adopt(false);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "dead");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "infrastructure_error");
  CAF_CHECK_EQUAL(told->back().detail, "its keeper did not give it back");
  pass(timeouts.forget + 1s);
  CAF_CHECK(ask<std::vector<vm_info>>(registry, list_atom::value)->get().empty());
}

CAF_TEST(a vmm that is not up yet has the time of a start) {
  adopt();
  sync();
  pass(timeouts.start);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  CAF_CHECK_EQUAL(vmm().notes.at(ending_note), "start_expired");
}

CAF_TEST(notes that are missing get safe values) {
  kept.notes.clear();
  adopt();
  CAF_CHECK_EQUAL(info().owner.uid, 0u);
  CAF_CHECK(info().owner.kind == caller_kind::process);
  CAF_CHECK(info().created_ms > 0);
}

CAF_TEST(a note of the door reaches the keeper) {
  adopt();
  caf::anon_send(vm, note_atom::value, std::string{"door.references"}, std::string{"3"});
  settle();
  CAF_CHECK_EQUAL(vmm().notes.at("door.references"), "3");
}

CAF_TEST_FIXTURE_SCOPE_END()
