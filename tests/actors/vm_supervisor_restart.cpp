// SPDX-License-Identifier: Apache-2.0
// VMs that are started again when they died.
#include "crosvisor/actors/vm_supervisor.hpp"
#include "crosvisor/tests/actors/fixture.hpp"

#include <fcntl.h>

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor_restart

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;
using actors::ending_note;
using actors::plan_note;
using actors::restarts_note;

namespace {

/// A VM through several lives.
struct fixture : actor_fixture {
  registry_actor registry;
  image_builder_pool_actor pool = spawn_pool();
  vm_config config = small_vm("demo");
  vm_actor vm;
  told_events told;

  fixture() { config.restart = restart_policy::on_failure; }

  void create() {
    registry = ends_with_test(
      sys.spawn(actors::registry,
                actors::registry_options{
                  {}, timeouts, launcher, claimer, last_cid, streams, false, pool, {}, {}}));
    auto files = std::make_shared<io::descriptor_set>();
    files->add(io::unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)});
    sys.spawn([=, this](caf::event_based_actor* asker) {
      asker
        ->request(registry, test_timeout, create_atom::value, config, files, vmm_choice{}, caller{})
        .then([this](const vm_actor& who, const vm_info&) { vm = who; });
    });
    settle();
    told = listen(vm);
  }

  std::shared_ptr<outcome<vm_info>> start() { return ask<vm_info>(vm, start_atom::value); }

  fake_vmm& vmm() { return *launcher->launched.back(); }
  fake_streams& guest() { return *streams->made.back(); }

  void up() {
    vmm().callbacks.on_up(4711);
    settle();
  }

  void run() {
    create();
    start();
    up();
  }

  void die(death_reason reason = death_reason::crash) {
    vmm().callbacks.on_exit({exit_kind::code, 1, reason, ""});
    settle();
  }

  /// What is left of the last life goes.
  void go() {
    if (auto done = std::exchange(vmm().release_done, nullptr))
      done();
    settle();
  }

  /// Dies, waits and is launched again.
  void die_and_revive(caf::timespan wait) {
    die();
    pass(wait);
    go();
  }

  void say(payload_status_kind kind, std::int32_t exit_code = 0) {
    guest().callbacks.on_status({kind, exit_code, payload_error::unknown, ""});
    settle();
  }

  std::shared_ptr<outcome<vm_info>> stop() {
    return ask<vm_info>(vm, stop_atom::value, caf::timespan{10s});
  }

  vm_info info() { return ask<vm_info>(vm, caf::get_atom::value, state_atom::value)->get(); }

  std::string story() const {
    std::string words;
    for (const auto& event : *told)
      words += (words.empty() ? "" : " ") + to_string(event.kind);
    return words;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_restart_tests, fixture)

CAF_TEST(a vm that crashed is started again after a while) {
  run();
  die();
  CAF_CHECK_EQUAL(story(), "created starting started restarting");
  CAF_CHECK_EQUAL(to_string(told->back().state), "not_started");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "crash");
  CAF_CHECK_EQUAL(told->back().exit.value, 1);
  CAF_CHECK_EQUAL(told->back().detail, "starts again in 1 s");
  CAF_CHECK_EQUAL(to_string(info().state), "not_started");
  CAF_CHECK_EQUAL(info().restarts, 1u);
  CAF_CHECK(vmm().release_done == nullptr);
  pass(1s);
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
  go();
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 2u);
  CAF_CHECK_EQUAL(vmm().request.cid, 2048u);
  up();
  CAF_CHECK_EQUAL(story(), "created starting started restarting starting started");
  CAF_CHECK_EQUAL(to_string(info().reason), "unknown");
  for (std::size_t i = 0; i < told->size(); ++i)
    CAF_CHECK_EQUAL((*told)[i].seq, i + 1);
}

CAF_TEST(late subscribers of a waiting vm are sent the restarting event) {
  run();
  die();
  auto late = listen(vm);
  CAF_REQUIRE_EQUAL(late->size(), 1u);
  CAF_CHECK_EQUAL(to_string(late->back().kind), "restarting");
}

CAF_TEST(without a policy a crash is a death) {
  config.restart = restart_policy::never;
  run();
  CAF_CHECK(vmm().request.origin == nullptr);
  CAF_CHECK(!vmm().request.notes.contains(plan_note));
  die();
  CAF_CHECK_EQUAL(story(), "created starting started dead");
}

CAF_TEST(on failure a shutdown is a death) {
  run();
  die(death_reason::shutdown);
  CAF_CHECK_EQUAL(story(), "created starting started dead");
}

CAF_TEST(on failure a payload that fails is started again and one that is done is not ) {
  run();
  say(payload_status_kind::finished, 3);
  die(death_reason::shutdown);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
  CAF_CHECK_EQUAL(told->back().payload.exit_code, 3);
  pass(1s);
  go();
  up();
  CAF_CHECK(!info().payload.finished);
  say(payload_status_kind::finished, 0);
  die(death_reason::shutdown);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "dead");
}

CAF_TEST(always starts again after a shutdown) {
  config.restart = restart_policy::always;
  run();
  die(death_reason::shutdown);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
}

CAF_TEST(a stop by a person is for good) {
  config.restart = restart_policy::always;
  run();
  auto stopped = stop();
  die(death_reason::shutdown);
  CAF_CHECK_EQUAL(to_string(stopped->get().state), "dead");
  CAF_CHECK_EQUAL(story(), "created starting started stopping dead");
}

CAF_TEST(a stop that comes while the last words are read is for good) {
  streams->finish_at_once = false;
  run();
  die();
  auto stopped = stop();
  guest().finish_done();
  settle();
  CAF_CHECK_EQUAL(to_string(stopped->get().reason), "crash");
}

CAF_TEST(a stop during the wait is for good) {
  run();
  die();
  auto stopped = stop();
  CAF_CHECK_EQUAL(to_string(stopped->get().reason), "killed");
  CAF_CHECK_EQUAL(stopped->get().exit.detail, "stopped before it was started again");
  CAF_CHECK_EQUAL(vmm().notes.at(ending_note), "stop 10000");
  CAF_CHECK_EQUAL(story(), "created starting started restarting dead");
  CAF_CHECK(vmm().release_done != nullptr);
  pass(10s);
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
}

CAF_TEST(a kill while the last life goes is for good) {
  run();
  die();
  pass(1s);
  auto killed = ask<vm_info>(vm, kill_atom::value);
  CAF_CHECK_EQUAL(to_string(killed->get().state), "dead");
  go();
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
}

CAF_TEST(a start during the wait does not wait) {
  run();
  die();
  auto started = start();
  go();
  CAF_REQUIRE_EQUAL(launcher->launched.size(), 2u);
  CAF_CHECK(started->pending());
  up();
  CAF_CHECK_EQUAL(to_string(started->get().state), "started");
  pass(1s);
  CAF_CHECK_EQUAL(launcher->launched.size(), 2u);
}

CAF_TEST(a waiting vm can not be suspended and says why) {
  run();
  die();
  CAF_CHECK_EQUAL(sentence_of(ask<vm_info>(vm, suspend_atom::value)->why()),
                  "can't suspend VM 2048: it is not_started and waits to be started again");
}

CAF_TEST(the waits double and a stable life begins them anew) {
  run();
  for (auto wait : {1s, 2s, 4s}) {
    die_and_revive(wait);
    up();
  }
  CAF_CHECK_EQUAL(launcher->launched.size(), 4u);
  die();
  pass(7s);
  go();
  CAF_CHECK_EQUAL(launcher->launched.size(), 4u);
  pass(1s);
  go();
  up();
  pass(10min);
  die();
  CAF_CHECK_EQUAL(told->back().detail, "starts again in 1 s");
}

CAF_TEST(a vm that dies too often is given up) {
  timeouts.max_restarts = 2;
  run();
  die_and_revive(1s);
  up();
  die_and_revive(2s);
  up();
  told->clear();
  die();
  CAF_CHECK_EQUAL(story(), "given_up dead");
  CAF_CHECK_EQUAL(told->front().detail,
                  "it was started again 2 times within 3600 s, as often as it may (restarts.most)");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "crash");
  CAF_CHECK_EQUAL(info().restarts, 2u);
}

CAF_TEST(a first start that fails is a death) {
  config.restart = restart_policy::always;
  create();
  auto started = start();
  vmm().callbacks.on_launch_failed(io::launch_failure::bad_files, "kernel: is a directory");
  settle();
  CAF_CHECK_EQUAL(started->why(), vm_errc::invalid_config);
  CAF_CHECK_EQUAL(story(), "created starting dead");
}

CAF_TEST(a later start that fails is one more restart) {
  run();
  die_and_revive(1s);
  vmm().callbacks.on_launch_failed(io::launch_failure::host, "no processes");
  settle();
  CAF_CHECK_EQUAL(told->back().detail, "starts again in 2 s");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "start_failed");
  CAF_CHECK_EQUAL(told->back().exit.detail, "no processes");
  pass(2s);
  go();
  CAF_CHECK_EQUAL(launcher->launched.size(), 3u);
}

CAF_TEST(a later vmm that never answers is killed and tried again) {
  run();
  die_and_revive(1s);
  pass(timeouts.start);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  vmm().callbacks.on_exit({exit_kind::signal, 9, death_reason::killed, ""});
  settle();
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "start_failed");
}

CAF_TEST(a vmm that does not die is not started again) {
  run();
  vmm().callbacks.on_fault("internal error");
  settle();
  pass(timeouts.kill);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "dead");
}

CAF_TEST(a guest that hung is started again and watched anew) {
  config.guest_protocol = true;
  run();
  pass(timeouts.hangup_slow - 1s);
  die_and_revive(1s);
  up();
  pass(1s);
  CAF_CHECK_EQUAL(vmm().killed, 0);
  pass(timeouts.hangup_slow - 1s);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  die(death_reason::killed);
  CAF_CHECK_EQUAL(to_string(told->back().kind), "restarting");
  CAF_CHECK_EQUAL(to_string(told->back().reason), "hangup");
}

CAF_TEST(a suspended vm that dies begins its next life awake) {
  run();
  ask<vm_info>(vm, suspend_atom::value);
  vmm().requests.back().done({});
  settle();
  die_and_revive(1s);
  up();
  CAF_CHECK(!info().suspended);
}

// -- what a life begins with ---------------------------------------------------

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

// -- ends of the service ---------------------------------------------------------

CAF_TEST(a drain ends a waiting vm) {
  run();
  die();
  auto drained = ask<caf::ok_atom>(registry, drain_atom::value, caf::timespan{10s});
  go();
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
