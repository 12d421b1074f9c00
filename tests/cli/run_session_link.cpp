// SPDX-License-Identifier: Apache-2.0
// What a session does with a payload's output in pieces, without its door, and with a VM that is
// left alone.
#include "crosvisor/tests/cli/session_fixture.hpp"

#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE cli.run_session_link

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace std::chrono_literals;

namespace {

using strings = std::vector<std::string>;
using door_self = tests::door_answers::door;

struct fixture : tests::session_fixture {
  /// A session that is told of losses, at a door that lets it attach again.
  void begin_far() {
    reconnects = true;
    answers->attach = [this](door_self at, vm_cid cid) -> caf::result<vm_info> {
      ++attached;
      return at->delegate(known->vms.at(cid), caf::get_atom::value, state_atom::value);
    };
    begin();
  }

  /// The door that gives output away in pieces.
  void give_pieces() {
    takes_pieces = true;
    answers->subscribe_output = [this](door_self at, vm_cid) -> caf::result<caf::ok_atom> {
      ++output_subscriptions;
      reader = at->current_sender();
      return caf::ok_atom::value;
    };
    answers->credit = [this](door_self, vm_cid, std::uint64_t bytes) { granted += bytes; };
  }

  void give(std::uint64_t offset, const std::string& bytes, bool last = false) {
    caf::anon_send(caf::actor_cast<output_reader_actor>(reader),
                   output_chunk{offset, bytes, 0, last});
    settle();
  }

  int attached = 0;
  int output_subscriptions = 0;
  std::uint64_t granted = 0;
  caf::strong_actor_ptr reader;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(run_session_link_tests, fixture)

CAF_TEST(output comes in pieces against credit) {
  give_pieces();
  begin();
  CAF_CHECK_EQUAL(granted, 100u);
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
  give(0, "hello ");
  give(6, "world");
  CAF_CHECK_EQUAL(pieces, "hello world");
  CAF_CHECK_EQUAL(granted, 100u);
  caf::anon_send(session, credit_atom::value, std::uint64_t{11});
  settle();
  CAF_CHECK_EQUAL(granted, 111u);
}

CAF_TEST(a service without output in pieces runs the VM all the same) {
  takes_pieces = true;
  begin();
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
}

CAF_TEST(a session goes on at another door and repeats no event) {
  begin_far();
  come_up();
  lose_door();
  CAF_CHECK(!outcome);
  CAF_CHECK_EQUAL(losses, 1);
  find_door();
  CAF_CHECK_EQUAL(attached, 1);
  exit(death_reason::shutdown, exit_kind::code, 0);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 0);
  CAF_CHECK_EQUAL(events, (strings{"created", "starting", "started", "dead"}));
}

CAF_TEST(a session whose door is not found again has lost it) {
  begin_far();
  come_up();
  lose_door();
  caf::anon_send(session, lost_atom::value);
  settle();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 126);
  CAF_CHECK(outcome->lost);
}

CAF_TEST(a VM that died meanwhile is told of) {
  begin_far();
  come_up();
  lose_door();
  exit(death_reason::crash, exit_kind::code, 32);
  answers->attach = [](door_self, vm_cid) -> caf::result<vm_info> {
    return caf::make_error(vm_errc::wrong_state, "dead");
  };
  find_door();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 120);
}

CAF_TEST(a VM that is not there any more is lost) {
  begin_far();
  come_up();
  lose_door();
  answers->attach = [](door_self, vm_cid) -> caf::result<vm_info> {
    return caf::make_error(vm_errc::no_such_vm, "no VM with CID 2048");
  };
  answers->subscribe_after = [](door_self, vm_cid, std::uint64_t) -> caf::result<caf::ok_atom> {
    return caf::make_error(vm_errc::no_such_vm, "no VM with CID 2048");
  };
  find_door();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->error, "vm 2048 is lost: no VM with CID 2048");
}

CAF_TEST(the end of a VM that is forgotten is told by its events) {
  begin_far();
  come_up();
  lose_door();
  answers->attach = [](door_self, vm_cid) -> caf::result<vm_info> {
    return caf::make_error(vm_errc::no_such_vm, "no VM with CID 2048");
  };
  answers->subscribe_after = [](door_self at, vm_cid cid,
                                std::uint64_t) -> caf::result<caf::ok_atom> {
    vm_event event;
    event.cid = cid;
    event.seq = 9;
    event.kind = vm_event_kind::dead;
    event.state = vm_state::dead;
    event.reason = death_reason::shutdown;
    event.payload = {true, true, 7, false, {}};
    at->send(caf::actor_cast<subscriber_actor>(at->current_sender()), event);
    return caf::ok_atom::value;
  };
  find_door();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 7);
}

CAF_TEST(a signal without a door is heeded at the next) {
  begin_far();
  come_up();
  lose_door();
  signal(SIGINT);
  CAF_CHECK(vmm().requests.empty());
  find_door();
  CAF_REQUIRE_EQUAL(vmm().requests.size(), 1u);
  CAF_CHECK(vmm().requests[0].what == io::vmm_request::power_button);
}

CAF_TEST(a VM that was created and not started is started at the next door) {
  answers->start = [](door_self at, vm_cid) {
    at->quit(caf::exit_reason::kill);
    return tests::no_answer<vm_info>(at);
  };
  begin_far();
  CAF_CHECK_EQUAL(losses, 1);
  answers->start = [this](door_self at, vm_cid cid) -> caf::result<vm_info> {
    return at->delegate(known->vms.at(cid), start_atom::value);
  };
  find_door();
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
  come_up();
  exit(death_reason::shutdown, exit_kind::code, 0);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 0);
}

CAF_TEST(what a lost door leaves unanswered is not missed later) {
  begin_far();
  come_up();
  signal(SIGTERM);
  lose_door();
  pass(40s);
  find_door();
  // The first stop's answer is due by now, the second's not yet.
  pass(35s);
  CAF_CHECK(!outcome || outcome->death);
}

CAF_TEST(a door that is lost before there is a VM is not looked for) {
  answers->create = [](door_self at, const vm_config&, const ticket_list&) {
    at->quit(caf::exit_reason::kill);
    return tests::no_answer<vm_info>(at);
  };
  begin_far();
  CAF_CHECK_EQUAL(losses, 0);
  CAF_REQUIRE(outcome);
  CAF_CHECK(outcome->lost);
}

CAF_TEST(output goes on where it was) {
  give_pieces();
  begin_far();
  come_up();
  give(0, "hello ");
  lose_door();
  find_door();
  CAF_CHECK_EQUAL(output_subscriptions, 2);
  CAF_CHECK_EQUAL(granted, 200u);
  give(0, "hello "); // All that is kept comes again.
  CAF_CHECK_EQUAL(granted, 206u);
  give(3, "lo wor");
  CAF_CHECK_EQUAL(granted, 209u);
  give(9, "ld", true);
  CAF_CHECK_EQUAL(pieces, "hello world");
}

CAF_TEST(a VM that is left alone is held once it runs) {
  detach = true;
  int held = 0;
  auto hold = answers->hold;
  answers->hold = [&](door_self at, vm_cid cid) {
    ++held;
    return hold(at, cid);
  };
  begin();
  CAF_CHECK(!outcome);
  CAF_CHECK_EQUAL(held, 0);
  come_up();
  CAF_CHECK_EQUAL(held, 1);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 0);
  CAF_CHECK_EQUAL(outcome->vm.cid, 2048u);
  CAF_CHECK(!outcome->death);
}

CAF_TEST(a VM that can not be started is not left alone) {
  detach = true;
  begin();
  exit(death_reason::start_failed, exit_kind::code, 1);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 125);
}

CAF_TEST(a VM that dies before it is held has its end told) {
  detach = true;
  answers->hold = [](door_self, vm_cid) -> caf::result<vm_info> {
    return caf::make_error(vm_errc::wrong_state, "dead");
  };
  begin();
  come_up();
  exit(death_reason::crash, exit_kind::code, 32);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 120);
}

CAF_TEST(who may not hold is told so) {
  detach = true;
  answers->hold = [](door_self, vm_cid) -> caf::result<vm_info> {
    return caf::make_error(vm_errc::denied, "uid 1 lacks \"debug\"");
  };
  begin();
  come_up();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 4);
  CAF_CHECK(outcome->error.starts_with("vm 2048 can't be held: permission denied"));
}

CAF_TEST(a VM that is only created is held and not started) {
  detach = no_start = true;
  begin();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 0);
  CAF_CHECK(launcher->launched.empty());
}

CAF_TEST(a signal stops a VM that was to be left alone) {
  detach = true;
  begin();
  signal(SIGINT);
  CAF_CHECK(vmm().terminated + vmm().killed + static_cast<int>(vmm().requests.size()) > 0);
  exit(death_reason::unknown, exit_kind::signal, SIGTERM);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 143);
}

CAF_TEST_FIXTURE_SCOPE_END()
