// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/registry.hpp"

#include "crosvisor/tests/actors/fixture.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.registry

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture : actor_fixture {
  /// Creates a VM and answers its info; error in `error`.
  vm_info create(const registry_actor& registry, vm_config config) {
    auto answer = std::make_shared<outcome<vm_info>>();
    sys.spawn([=, this](caf::event_based_actor* asker) {
      asker
        ->request(registry, test_timeout, create_atom::value, config, vm_files{}, vmm_choice{},
                  caller{})
        .then(
          [=, this](const vm_actor& vm, const vm_info& info) {
            vms[info.cid] = vm;
            answer->value = info;
          },
          [=](caf::error& why) { answer->error = std::move(why); });
    });
    settle();
    error = answer->why();
    return answer->value.value_or(vm_info{});
  }

  void die(vm_cid cid) {
    ask<vm_info>(vms[cid], kill_atom::value);
    pass(timeouts.forget + 1s);
  }

  std::map<vm_cid, vm_actor> vms;
  caf::error error;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(registry_tests, fixture)

CAF_TEST(each vm gets the next cid and a name) {
  auto registry = spawn_registry({2048, 2100});
  auto first = create(registry, small_vm());
  CAF_CHECK_EQUAL(first.cid, 2048u);
  CAF_CHECK_EQUAL(first.name, "vm-2048");
  CAF_CHECK_EQUAL(to_string(first.state), "not_started");
  auto second = create(registry, small_vm("build7"));
  CAF_CHECK_EQUAL(second.cid, 2049u);
  CAF_CHECK_EQUAL(second.name, "build7");
  CAF_CHECK(launcher->launched.empty());
}

CAF_TEST(the last cid is saved and gone on from after a restart) {
  last_cid->last = 2050;
  auto registry = spawn_registry({2048, 2100});
  CAF_CHECK_EQUAL(create(registry, small_vm()).cid, 2051u);
  CAF_CHECK_EQUAL(last_cid->last, 2051u);
}

CAF_TEST(a cid that another program has is passed over) {
  claimer->taken = {2048, 2049};
  auto registry = spawn_registry({2048, 2100});
  CAF_CHECK_EQUAL(create(registry, small_vm()).cid, 2050u);
  CAF_CHECK_EQUAL(claimer->claimed, std::vector<vm_cid>{2050});
}

CAF_TEST(a claimed cid is held until its vm is gone) {
  auto registry = spawn_registry({2048, 2100});
  auto vm = create(registry, small_vm());
  CAF_REQUIRE_EQUAL(claimer->held.size(), 1u);
  CAF_CHECK(!claimer->held[0].expired());
  die(vm.cid);
  CAF_CHECK(claimer->held[0].expired());
}

CAF_TEST(exhaustion is a clear error and ends when a vm is gone) {
  auto registry = spawn_registry({2048, 2049});
  create(registry, small_vm());
  create(registry, small_vm());
  create(registry, small_vm());
  CAF_CHECK_EQUAL(error, vm_errc::cid_exhausted);
  CAF_CHECK(sentence_of(error).find("2048 to 2049") != std::string::npos);
  die(2048);
  CAF_CHECK_EQUAL(create(registry, small_vm()).cid, 2048u);
}

CAF_TEST(cids that other programs have are exhausted too) {
  claimer->taken = {2048, 2049};
  auto registry = spawn_registry({2048, 2049});
  create(registry, small_vm());
  CAF_CHECK_EQUAL(error, vm_errc::cid_exhausted);
  claimer->taken.clear();
  CAF_CHECK_EQUAL(create(registry, small_vm()).cid, 2048u);
}

CAF_TEST(a host that refuses every claim says why and keeps the cid free) {
  claimer->broken = true;
  auto registry = spawn_registry({2048, 2048});
  create(registry, small_vm());
  CAF_CHECK_EQUAL(error, vm_errc::io_failed);
  CAF_CHECK_EQUAL(sentence_of(error), "open /dev/vhost-vsock: Permission denied");
  claimer->broken = false;
  CAF_CHECK_EQUAL(create(registry, small_vm()).cid, 2048u);
}

CAF_TEST(a name belongs to one living vm) {
  auto registry = spawn_registry();
  auto first = create(registry, small_vm("demo"));
  create(registry, small_vm("demo"));
  CAF_CHECK_EQUAL(error, vm_errc::name_taken);
  ask<vm_info>(vms[first.cid], kill_atom::value);
  auto second = create(registry, small_vm("demo"));
  CAF_CHECK_EQUAL(second.name, "demo");
  CAF_CHECK_EQUAL(ask<vm_actor>(registry, caf::get_atom::value, vm_name{"demo"})->get(),
                  vms[second.cid]);
}

CAF_TEST(a vm is found by cid and by name and by nothing else) {
  auto registry = spawn_registry();
  auto vm = create(registry, small_vm("demo"));
  CAF_CHECK_EQUAL(ask<vm_actor>(registry, caf::get_atom::value, vm.cid)->get(), vms[vm.cid]);
  CAF_CHECK_EQUAL(ask<vm_actor>(registry, caf::get_atom::value, vm_name{"demo"})->get(),
                  vms[vm.cid]);
  CAF_CHECK_EQUAL(ask<vm_actor>(registry, caf::get_atom::value, vm_cid{4711})->why(),
                  vm_errc::no_such_vm);
  CAF_CHECK_EQUAL(ask<vm_actor>(registry, caf::get_atom::value, vm_name{"other"})->why(),
                  vm_errc::no_such_vm);
  CAF_CHECK_EQUAL(ask<vm_actor>(registry, caf::get_atom::value, vm_name{})->why(),
                  vm_errc::no_such_vm);
}

CAF_TEST(the supervisor of a vm is found by its cid) {
  auto registry = spawn_registry();
  auto vm = create(registry, small_vm("demo"));
  auto found =
    ask<vm_supervisor_actor>(registry, caf::get_atom::value, supervisor_atom::value, vm.cid);
  CAF_CHECK(found->get() == vms[vm.cid]);
  auto missing =
    ask<vm_supervisor_actor>(registry, caf::get_atom::value, supervisor_atom::value, vm_cid{4711});
  CAF_CHECK_EQUAL(missing->why(), vm_errc::no_such_vm);
}

CAF_TEST(each vm has streams of its own) {
  auto registry = spawn_registry();
  create(registry, small_vm());
  create(registry, small_vm());
  CAF_CHECK_EQUAL(streams->made.size(), 2u);
}

CAF_TEST(the list is by cid and as new as the last answer) {
  auto registry = spawn_registry();
  create(registry, small_vm("a"));
  create(registry, small_vm("b"));
  ask<vm_info>(vms[2049], kill_atom::value);
  auto list = ask<std::vector<vm_info>>(registry, list_atom::value)->get();
  CAF_REQUIRE_EQUAL(list.size(), 2u);
  CAF_CHECK_EQUAL(list[0].name, "a");
  CAF_CHECK_EQUAL(to_string(list[0].state), "not_started");
  CAF_CHECK_EQUAL(list[1].name, "b");
  CAF_CHECK_EQUAL(to_string(list[1].state), "dead");
}

CAF_TEST(a dead vm is remembered for a while and then forgotten) {
  auto registry = spawn_registry();
  create(registry, small_vm());
  ask<vm_info>(vms[2048], kill_atom::value);
  pass(timeouts.forget - 1s);
  CAF_CHECK_EQUAL(ask<std::vector<vm_info>>(registry, list_atom::value)->get().size(), 1u);
  pass(2s);
  CAF_CHECK_EQUAL(ask<std::vector<vm_info>>(registry, list_atom::value)->get().size(), 0u);
}

CAF_TEST(a supervisor that fails frees its cid all the same) {
  auto registry = spawn_registry({2048, 2048});
  create(registry, small_vm());
  caf::anon_send_exit(vms[2048], caf::exit_reason::kill);
  settle();
  CAF_CHECK_EQUAL(create(registry, small_vm()).cid, 2048u);
}

CAF_TEST(a drain stops every vm and then answers) {
  auto registry = spawn_registry();
  create(registry, small_vm());
  create(registry, small_vm());
  ask<vm_info>(vms[2049], start_atom::value);
  auto& vmm = *launcher->launched.at(0);
  vmm.callbacks.on_up(4711);
  settle();
  auto drained = ask<caf::ok_atom>(registry, drain_atom::value, caf::timespan{10s});
  CAF_CHECK(drained->pending());
  create(registry, small_vm());
  CAF_CHECK_EQUAL(error, vm_errc::shutting_down);
  CAF_REQUIRE_EQUAL(vmm.requests.size(), 1u);
  CAF_CHECK(vmm.requests[0].what == io::vmm_request::power_button);
  vmm.callbacks.on_exit({exit_kind::code, 0, death_reason::shutdown, ""});
  settle();
  CAF_CHECK(drained->pending());
  vmm.release_done();
  settle();
  CAF_CHECK(drained->value);
  CAF_CHECK(ask<caf::ok_atom>(registry, drain_atom::value, caf::timespan{10s})->value);
}

CAF_TEST(the end of the registry ends its supervisors and their vmms) {
  auto registry = spawn_registry();
  create(registry, small_vm());
  ask<vm_info>(vms[2048], start_atom::value);
  std::weak_ptr<fake_vmm> vmm = launcher->launched.at(0);
  launcher->launched.clear();
  CAF_CHECK(!vmm.expired());
  caf::anon_send_exit(registry, caf::exit_reason::user_shutdown);
  settle();
  CAF_CHECK(vmm.expired());
}

CAF_TEST_FIXTURE_SCOPE_END()
