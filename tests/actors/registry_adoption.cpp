// SPDX-License-Identifier: Apache-2.0
// VMs that were there before the registry.
#include "crosvisor/tests/actors/vm_of_keeper.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.registry_adoption

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;
using actors::ending_note;

CAF_TEST_FIXTURE_SCOPE(registry_adoption_tests, vm_of_keeper)

CAF_TEST(the cid of an adopted vm is used until it is gone) {
  adopt();
  for (vm_cid cid : {2048, 2049, 2051, 2052}) {
    create("");
    CAF_CHECK_EQUAL(created_info.cid, cid);
  }
  create("");
  CAF_CHECK_EQUAL(create_error, vm_errc::cid_exhausted);
}

CAF_TEST(a cid outside the range is honoured) {
  kept.cid = 9000;
  adopt();
  CAF_CHECK_EQUAL(info().cid, 9000u);
  CAF_CHECK_EQUAL(claimer->claimed, (std::vector<vm_cid>{9000}));
  replay_up();
  exit_with(death_reason::shutdown);
  vmm().release_done();
  pass(timeouts.forget + 1s);
  CAF_CHECK(ask<std::vector<vm_info>>(registry, list_atom::value)->get().empty());
}

CAF_TEST(a cid that the keeper holds is not claimed again) {
  kept.vsock = std::make_shared<const io::unique_fd>();
  adopt();
  CAF_CHECK(claimer->claimed.empty());
}

CAF_TEST(a cid that can not be claimed is honoured all the same) {
  claimer->broken = true;
  adopt();
  CAF_CHECK_EQUAL(info().cid, 2050u);
}

CAF_TEST(an adopted vm is found by its name and its name is taken) {
  adopt();
  create("demo");
  CAF_CHECK_EQUAL(create_error, vm_errc::name_taken);
  CAF_CHECK(ask<vm_actor>(registry, caf::get_atom::value, vm_name{"demo"})->get() == vm);
}

CAF_TEST(a vm kept twice or under a cid of the host is left alone) {
  io::kept_vm host = kept, twice = kept;
  host.cid = 2;
  spawn_registry({host, kept, twice}, {});
  CAF_CHECK_EQUAL(ask<std::vector<vm_info>>(registry, list_atom::value)->get().size(), 1u);
}

CAF_TEST(a vm that is left lives on and its supervisor ends) {
  adopt();
  replay_up();
  sync();
  auto left = ask<caf::ok_atom>(registry, leave_atom::value);
  CAF_CHECK(left->value);
  CAF_CHECK(launcher->left);
  CAF_CHECK_EQUAL(vmm().killed + vmm().terminated, 0);
  CAF_CHECK(vmm().requests.empty());
  CAF_CHECK(!vmm().notes.contains(ending_note));
  CAF_CHECK_EQUAL(story(), "1:created 2:starting 3:started");
}

CAF_TEST(a vm that was never started can not be left and is dead) {
  adopt();
  create("new");
  auto heard = listen(created);
  CAF_CHECK(ask<caf::ok_atom>(registry, leave_atom::value)->value);
  CAF_CHECK_EQUAL(to_string(heard->back().kind), "dead");
}

CAF_TEST_FIXTURE_SCOPE_END()
