// SPDX-License-Identifier: Apache-2.0
// A VM between two lives: what the last one's keeper has stands for it until the next one's does.
#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/tests/io/keeper/launcher_fixture.hpp"
#include "crosvisor/tests/io/test_cgroup.hpp"

#undef CAF_SUITE
#define CAF_SUITE io.keeper.lives

using namespace crosvisor;
using namespace crosvisor::tests;
using crosvisor::io::vm_origin;

namespace {

constexpr auto killed_life = "killed, signal 9: QEMU was ended by signal 9 (Killed)";

struct fixture : launcher_fixture {
  mailbox<bool> aside;

  io::launch_request lasting_request(const std::string& play = "play=up") {
    auto asked = request(play);
    auto files = std::make_shared<io::descriptor_set>();
    files->add(some_file("first"));
    asked.origin = std::make_shared<const vm_origin>(vm_origin{asked.config, asked.choice, files});
    return asked;
  }

  /// A life that has ended, and has stepped aside for the next one.
  std::shared_ptr<io::vmm_process> live_and_step_aside() {
    auto vm = launch(lasting_request());
    told(1);
    ::kill(vmm_pid(), SIGKILL);
    CAF_CHECK_EQUAL(end(), killed_life);
    step_aside(*vm);
    reports.clear();
    return vm;
  }

  void step_aside(io::vmm_process& vm) {
    aside.clear();
    vm.step_aside([this] { aside.put(true); });
    CAF_CHECK_EQUAL(aside.wait(1).size(), 1u);
  }

  std::string records() { return names_in(state + "/keepers"); }

  struct left_lives {
    int last_keeper, next_keeper;
    int next_vmm; ///< -1: it is not up.
  };

  /// A life that has ended and its next one, when the service has left both to their keepers.
  left_lives live_twice_and_leave(const std::string& play = "play=up") {
    open();
    auto last = live_and_step_aside();
    left_lives lives{keeper_pid(), -1, -1};
    auto next = launch(lasting_request(play));
    if (play == "play=up") {
      CAF_CHECK_EQUAL(told(1), "up");
      lives.next_vmm = vmm_pid();
    }
    CAF_CHECK(becomes([&] { return names_in(folder).ends_with("2048.last.socket 2048.socket"); }));
    lives.next_keeper = keeper_pid(lives.last_keeper);
    service->launcher->leave();
    last = nullptr;
    leave(next);
    return lives;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(keeper_lives_tests, fixture)

CAF_TEST(the last life is kept until it is let go of) {
  open();
  auto last = live_and_step_aside();
  CAF_CHECK_EQUAL(records(), "2048.last");
  CAF_CHECK_EQUAL(names_in(folder), ".lock 2048.last.socket");
  auto next = launch(lasting_request());
  CAF_CHECK_EQUAL(told(1), "up");
  CAF_CHECK_EQUAL(records(), "2048 2048.last");
  last = nullptr;
  ::kill(vmm_pid(), SIGKILL);
  CAF_CHECK_EQUAL(end(), killed_life);
  // As one whose own predecessor has gone.
  step_aside(*next);
  CAF_CHECK_EQUAL(records(), "2048.last");
  release(next);
  service.reset();
  check_nothing_left();
}

CAF_TEST(between two lives a VM is found with what the next one is made from) {
  open();
  auto vm = live_and_step_aside();
  auto keeper = keeper_pid();
  leave(vm);
  for (auto i = 0; i < 2; ++i) {
    open();
    CAF_REQUIRE_EQUAL(service->kept.size(), 1u);
    vm = adopt();
    CAF_CHECK_EQUAL(told(2), "up exit");
    CAF_CHECK_EQUAL(origin_of(*vm), "play=up, 1 files, first to first");
    step_aside(*vm);
    if (i == 0)
      leave(vm);
  }
  reports.clear();
  auto next = launch(lasting_request());
  CAF_CHECK_EQUAL(told(1), "up");
  release(vm);
  CAF_CHECK_EQUAL(reap(keeper), "exit code 0");
  CAF_CHECK_EQUAL(records(), "2048");
  next = nullptr;
  service.reset();
  check_nothing_left();
}

CAF_TEST(of two lives both are found while both have keepers) {
  auto lives = live_twice_and_leave();
  open();
  CAF_REQUIRE_EQUAL(service->kept.size(), 1u);
  CAF_CHECK_EQUAL(records(), "2048 2048.last");
  auto last = service->launcher->adopt_last(cid);
  CAF_REQUIRE(last);
  CAF_CHECK(!service->launcher->adopt_last(cid));
  CAF_CHECK_EQUAL(origin_of(*last), "play=up, 1 files, first to first");
  auto next = adopt();
  CAF_CHECK_EQUAL(told(1), "up");
  release(last);
  CAF_CHECK_EQUAL(reap(lives.last_keeper), "exit code 0");
  CAF_CHECK_EQUAL(records(), "2048");
  CAF_CHECK_EQUAL(names_in(folder), ".lock 2048 2048.socket");
  CAF_CHECK_EQUAL(vmm_pid(), lives.next_vmm);
  next->kill();
  CAF_CHECK_EQUAL(end(), killed_life);
  release(next);
  CAF_CHECK_EQUAL(reap(lives.next_keeper), "exit code 0");
  check_nothing_left();
}

CAF_TEST(of two lives the last one is found where the next one never began) {
  open();
  auto vm = live_and_step_aside();
  auto keeper = keeper_pid();
  leave(vm);
  {
    // As a service leaves it that is killed before it starts the keeper.
    auto record = io::keeper_record::make(state, cid);
    CAF_REQUIRE(record);
    auto last = io::keeper_record::open(state, cid, io::kept_life::last);
    CAF_REQUIRE(last);
    CAF_REQUIRE(record->write_launch(**last->read_launch()));
  }
  open();
  CAF_CHECK_EQUAL(records(), "2048.last");
  vm = adopt();
  CAF_CHECK_EQUAL(told(2), "up exit");
  CAF_CHECK_EQUAL(origin_of(*vm), "play=up, 1 files, first to first");
  release(vm);
  CAF_CHECK_EQUAL(reap(keeper), "exit code 0");
  check_nothing_left();
}

CAF_TEST(of two lives the last one is left where the next one fails at whoever adopts it) {
  auto lives = live_twice_and_leave("play=never");
  open();
  auto last = service->launcher->adopt_last(cid);
  CAF_REQUIRE(last);
  auto next = adopt();
  next->kill();
  CAF_CHECK_EQUAL(told(1), "exit");
  release(next);
  CAF_CHECK_EQUAL(reap(lives.next_keeper), "exit code 0");
  leave(last);
  open();
  CAF_REQUIRE_EQUAL(service->kept.size(), 1u);
  CAF_CHECK_EQUAL(records(), "2048.last");
  last = adopt();
  CAF_CHECK_EQUAL(origin_of(*last), "play=up, 1 files, first to first");
  release(last);
  CAF_CHECK_EQUAL(reap(lives.last_keeper), "exit code 0");
  check_nothing_left();
}

CAF_TEST(two lives that nobody adopts go) {
  auto lives = live_twice_and_leave();
  open();
  service.reset();
  CAF_CHECK_EQUAL(reap(lives.last_keeper), "exit code 0");
  CAF_CHECK_EQUAL(reap(lives.next_keeper), "exit code 0");
  check_nothing_left();
}

CAF_TEST(a last life that nobody adopts goes) {
  open();
  auto vm = live_and_step_aside();
  auto keeper = keeper_pid();
  leave(vm);
  open();
  service.reset();
  CAF_CHECK_EQUAL(reap(keeper), "exit code 0");
  check_nothing_left();
}

CAF_TEST(a killed keeper has no next life and leaves nothing) {
  open();
  auto vm = launch(lasting_request());
  told(1);
  ::kill(keeper_pid(), SIGKILL);
  CAF_CHECK_EQUAL(end(), "infrastructure_error, lost process: its keeper was killed (signal 9)");
  step_aside(*vm);
  check_nothing_left();
}

CAF_TEST(a last life is not killed with the next one) {
  test_cgroup cgroup;
  if (!cgroup)
    return;
  auto made = io::vmm_confinement::make({std::nullopt, cgroup.path()}, {}, {});
  CAF_REQUIRE(made);
  options.how.confinement = *made;
  open();
  auto last = live_and_step_aside();
  auto keeper = keeper_pid();
  CAF_CHECK(cgroup.cgroups() == std::vector<std::string>{"keeper-2048.last"});
  auto next = launch(lasting_request());
  CAF_CHECK_EQUAL(told(1), "up");
  CAF_CHECK_EQUAL(cgroup.cgroups().size(), 2u);
  next->kill();
  CAF_CHECK_EQUAL(end(), killed_life);
  release(next);
  CAF_CHECK(cgroup.cgroups() == std::vector<std::string>{"keeper-2048.last"});
  CAF_CHECK_EQUAL(::kill(keeper, 0), 0);
  next = last = nullptr;
  service.reset();
  options.how.confinement = {};
  CAF_CHECK(cgroup.cgroups().empty());
  check_nothing_left();
}

CAF_TEST_FIXTURE_SCOPE_END()
