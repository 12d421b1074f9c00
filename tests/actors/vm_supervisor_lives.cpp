// SPDX-License-Identifier: Apache-2.0
// What each life of a VM begins with, and how the last one ends.
#include "crosvisor/tests/actors/restarted_vm.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor_lives

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;
using actors::ending_note;
using actors::plan_note;
using actors::restarts_note;

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_lives_tests, restarted_vm)

CAF_TEST(each life has files of its own and the first ones are kept) {
  run();
  auto origin = vmm().request.origin;
  CAF_REQUIRE(origin);
  auto first = vmm().request.files->get(0);
  CAF_CHECK(first >= 0 && first != origin->files->get(0));
  vmm().request.files->clear();
  die_and_revive(1s);
  CAF_CHECK(vmm().request.files->get(0) >= 0);
  CAF_CHECK_NOT_EQUAL(vmm().request.files->get(0), origin->files->get(0));
  CAF_CHECK(vmm().request.origin == origin);
  CAF_CHECK_EQUAL(vmm().request.config.name, "demo");
}

CAF_TEST(the kept files are closed with the death) {
  run();
  std::weak_ptr<const io::vm_origin> origin = vmm().request.origin;
  vmm().request = {};
  CAF_CHECK(!origin.expired());
  stop();
  die(death_reason::shutdown);
  CAF_CHECK(origin.expired());
}

CAF_TEST(each life has its own notes) {
  run();
  caf::anon_send(vm, note_atom::value, std::string{"door.users"}, std::string{"alice"});
  settle();
  CAF_CHECK_EQUAL(vmm().request.notes.at(restarts_note), "0");
  die_and_revive(1s);
  CAF_CHECK_EQUAL(vmm().request.notes.at(restarts_note), "1");
  CAF_CHECK_EQUAL(vmm().request.notes.at("door.users"), "alice");
  CAF_CHECK(!vmm().request.notes.contains(ending_note));
  CAF_CHECK(vmm().request.notes.at(plan_note).starts_with("1 "));
}

CAF_TEST(each life has its own streams and readers of the last one find its end) {
  run();
  auto first = streams->made.back();
  auto reader = ends_with_test(
    sys.spawn([=, this](output_reader_actor::pointer asker) -> output_reader_actor::behavior_type {
      asker->request(vm, test_timeout, caf::subscribe_atom::value, output_atom::value)
        .then([](caf::ok_atom) {});
      return {[](const output_chunk&) {}};
    }));
  settle();
  CAF_CHECK_EQUAL(first->readers.size(), 1u);
  die_and_revive(1s);
  CAF_CHECK_EQUAL(first->finishes, 1);
  CAF_CHECK_EQUAL(first->readers.size(), 1u);
  CAF_REQUIRE_EQUAL(streams->made.size(), 2u);
  CAF_CHECK(vmm().request.streams == streams->made[1]);
  caf::send_as(caf::actor_cast<caf::actor>(reader), vm, credit_atom::value, std::uint64_t{5});
  settle();
  CAF_CHECK_EQUAL(first->readers.begin()->second.granted, 5u);
  caf::send_as(caf::actor_cast<caf::actor>(reader), vm, caf::subscribe_atom::value,
               output_atom::value);
  settle();
  CAF_CHECK(first->readers.empty());
  CAF_CHECK_EQUAL(streams->made[1]->readers.size(), 1u);
}

CAF_TEST(late words of the last life are not the next one) {
  streams->finish_at_once = false;
  run();
  auto first = streams->made.back();
  die();
  pass(timeouts.finish);
  pass(1s);
  go();
  up();
  first->callbacks.on_status({payload_status_kind::finished, 9, payload_error::unknown, ""});
  settle();
  CAF_CHECK(!info().payload.finished);
  die();
  first->finish_done();
  settle();
  CAF_CHECK_EQUAL(story(), "created starting started restarting starting started");
}

CAF_TEST(images are made for each life) {
  config.disks = {
    {{}, image_format::raw, false, {{"a", {"a.img", 0}, image_format::raw, false, ""}}}};
  run();
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 1u);
  die_and_revive(1s);
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 2u);
  CAF_CHECK(vmm().request.disks != nullptr);
}

CAF_TEST(what does not go in time is a vm that is given up) {
  run();
  die();
  pass(1s);
  pass(timeouts.revive);
  CAF_CHECK_EQUAL(story(), "created starting started restarting given_up dead");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "infrastructure_error");
  CAF_CHECK_EQUAL(told->back().detail, "what is left of its last life did not go in time");
}

// -- the cid -------------------------------------------------------------------

CAF_TEST(the kernel is asked for the cid anew) {
  claimer->with_descriptors = true;
  run();
  vmm().request.vsock.reset();
  die();
  pass(1s);
  CAF_CHECK(!claimer->held[0].expired());
  go();
  CAF_CHECK(claimer->held[0].expired());
  CAF_CHECK_EQUAL(claimer->claimed, (std::vector<vm_cid>{2048, 2048}));
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 2u);
  CAF_CHECK(vmm().request.vsock == claimer->held[1].lock());
}

CAF_TEST(a cid that is not free yet is asked for again) {
  claimer->with_descriptors = true;
  run();
  die();
  claimer->taken = {2048};
  pass(1s);
  go();
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
  claimer->taken.clear();
  pass(1s);
  CAF_CHECK_EQUAL(launcher->launched.size(), 2u);
}

CAF_TEST(a cid that another program has taken is a vm that is given up) {
  claimer->with_descriptors = true;
  run();
  die();
  claimer->taken = {2048};
  pass(1s);
  go();
  for (int i = 0; i < 31; ++i)
    pass(1s);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "dead");
  CAF_CHECK_EQUAL(told->back().detail, "CID 2048 is another program's now");
}

// -- what stands for the vm between two lives --------------------------------------

CAF_TEST(the last life is held until the next one is up) {
  run();
  die();
  pass(1s);
  std::weak_ptr<fake_vmm> last = launcher->launched[0];
  go();
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 2u);
  launcher->launched[0] = nullptr;
  CAF_CHECK(!last.expired());
  up();
  CAF_CHECK(last.expired());
}

CAF_TEST(or until the next one has ended) {
  run();
  std::weak_ptr<fake_vmm> last = launcher->launched[0];
  die_and_revive(1s);
  launcher->launched[0] = nullptr;
  die();
  CAF_CHECK(last.expired());
}

CAF_TEST(of a life that never began the one before takes the place) {
  run();
  auto first = launcher->launched[0];
  die_and_revive(1s);
  vmm().callbacks.on_launch_failed(io::launch_failure::host, "no processes");
  settle();
  CAF_CHECK_EQUAL(first->notes.at(restarts_note), "1");
  CAF_CHECK_EQUAL(first->notes.at(plan_note), vmm().request.notes.at(plan_note));
  launcher->launched[0] = nullptr;
  pass(2s);
  go();
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 3u);
  CAF_CHECK_EQUAL(first.use_count(), 2);
  up();
  CAF_CHECK_EQUAL(first.use_count(), 1);
}

CAF_TEST(what is noted between two lives is noted with the last one) {
  run();
  die_and_revive(1s);
  auto& last = *launcher->launched[0];
  CAF_CHECK(!last.notes.contains(restarts_note));
  caf::anon_send(vm, note_atom::value, std::string{"door.users"}, std::string{"alice"});
  settle();
  CAF_CHECK_EQUAL(last.notes.at("door.users"), "alice");
  stop();
  CAF_CHECK_EQUAL(last.notes.at(ending_note), "stop 10000");
}

CAF_TEST(a vm that is stopped between two lives is released once) {
  claimer->with_descriptors = true;
  run();
  die();
  claimer->taken = {2048};
  pass(1s);
  go();
  auto stopped = stop();
  CAF_CHECK_EQUAL(to_string(stopped->get().state), "dead");
  CAF_CHECK(vmm().release_done != nullptr);
}

CAF_TEST(a vm that is left between two lives is left whole) {
  claimer->with_descriptors = true;
  run();
  die();
  claimer->taken = {2048};
  pass(1s);
  go();
  CAF_CHECK(ask<caf::ok_atom>(registry, leave_atom::value)->value);
  CAF_CHECK(vmm().release_done == nullptr);
  CAF_CHECK(!vmm().notes.contains(ending_note));
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
}

// -- ends of the service ---------------------------------------------------------

CAF_TEST(a drain ends a waiting vm) {
  run();
  die();
  auto drained = ask<caf::ok_atom>(registry, drain_atom::value, caf::timespan{10s});
  vmm().release_done();
  settle();
  CAF_CHECK(drained->value);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "dead");
}

CAF_TEST(a waiting vm is left to the keeper of its last life) {
  run();
  die();
  CAF_CHECK(ask<caf::ok_atom>(registry, leave_atom::value)->value);
  CAF_CHECK(vmm().release_done == nullptr);
  CAF_CHECK(!vmm().notes.contains(ending_note));
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
}

CAF_TEST_FIXTURE_SCOPE_END()
