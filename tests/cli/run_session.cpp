// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/run_session.hpp"

#include "crosvisor/tests/cli/session_fixture.hpp"

#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE cli.run_session

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace std::chrono_literals;

namespace {

using fixture = tests::session_fixture;

using strings = std::vector<std::string>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(run_session_tests, fixture)

CAF_TEST(a VM that powers off ends the session with success) {
  begin();
  come_up();
  CAF_CHECK(!outcome);
  exit(death_reason::shutdown, exit_kind::code, 0);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 0);
  CAF_CHECK_EQUAL(outcome->error, "");
  CAF_CHECK_EQUAL(outcome->vm.cid, 2048u);
  CAF_CHECK_EQUAL(events, (strings{"created", "starting", "started", "dead"}));
  CAF_CHECK(said.empty());
}

CAF_TEST(a VM that crashes tells so by its code) {
  begin();
  come_up();
  exit(death_reason::crash, exit_kind::code, 32);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 120);
}

CAF_TEST(a refused configuration starts nothing) {
  config.protected_vm = true;
  begin();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 2);
  CAF_CHECK(outcome->error.starts_with("protected: this host can't"));
  CAF_CHECK(!outcome->death);
  CAF_CHECK(events.empty());
  CAF_CHECK(launcher->launched.empty());
}

CAF_TEST(a host without a VMM is told apart from a bad configuration) {
  config.vmm = vmm_kind::crosvm;
  begin();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 125);
}

CAF_TEST(a start that fails says whose fault it was) {
  begin();
  vmm().callbacks.on_launch_failed(io::launch_failure::bad_files, "kernel: no kernel");
  settle();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 2);
  CAF_CHECK_EQUAL(outcome->error, "kernel: no kernel");
  CAF_CHECK_EQUAL(events, (strings{"created", "starting", "dead"}));
}

CAF_TEST(a VMM that ends before it is up is a failed start) {
  begin();
  exit(death_reason::start_failed, exit_kind::code, 1);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 125);
  CAF_CHECK(outcome->death.has_value());
}

CAF_TEST(the first signal stops and the second kills) {
  begin();
  come_up();
  signal(SIGINT);
  CAF_CHECK_EQUAL(said, (strings{"Ctrl-C: stopping vm 2048; once more kills it"}));
  CAF_REQUIRE_EQUAL(vmm().requests.size(), 1u);
  CAF_CHECK(vmm().requests[0].what == io::vmm_request::power_button);
  CAF_CHECK_EQUAL(vmm().killed, 0);
  signal(SIGTERM);
  CAF_CHECK_EQUAL(said.at(1), "SIGTERM: killing vm 2048");
  CAF_CHECK_EQUAL(vmm().killed, 1);
  signal(SIGINT);
  CAF_CHECK_EQUAL(said.size(), 2u);
  exit(death_reason::unknown, exit_kind::signal, SIGKILL);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 137);
}

CAF_TEST(a guest that heeds a stop ends with success) {
  begin();
  come_up();
  signal(SIGTERM);
  exit(death_reason::shutdown, exit_kind::code, 0);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 0);
}

CAF_TEST(a VM that runs out of its time is stopped) {
  begin(1500ms);
  come_up();
  pass(1499ms);
  CAF_CHECK(vmm().requests.empty());
  pass(1ms);
  CAF_CHECK_EQUAL(said, (strings{"--timeout: vm 2048 has run for 1.500 s; stopping it"}));
  CAF_REQUIRE_EQUAL(vmm().requests.size(), 1u);
  CAF_CHECK(vmm().requests[0].what == io::vmm_request::power_button);
  exit(death_reason::shutdown, exit_kind::code, 0);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 124);
}

CAF_TEST(a signal during the stop of a timeout kills) {
  begin(1s);
  come_up();
  pass(1s);
  signal(SIGINT);
  CAF_CHECK_EQUAL(vmm().killed, 1);
}

CAF_TEST(a signal while the VM starts is not lost) {
  begin();
  signal(SIGINT);
  CAF_CHECK(vmm().terminated + vmm().killed + static_cast<int>(vmm().requests.size()) > 0);
  exit(death_reason::unknown, exit_kind::signal, SIGTERM);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 143);
}

CAF_TEST(the output is there before the VM runs) {
  begin();
  CAF_CHECK(static_cast<bool>(output));
  CAF_CHECK(!launched_before_output);
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
}

CAF_TEST(without vsock the VM runs without output) {
  backend.vsock = nullptr;
  serve();
  begin();
  CAF_CHECK(!output);
  CAF_CHECK_EQUAL(launcher->launched.size(), 1u);
}

CAF_TEST(the code of the payload is the code of the run) {
  begin();
  come_up();
  guest_says({payload_status_kind::finished, 7, {}, ""});
  exit(death_reason::shutdown, exit_kind::code, 0);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 7);
  CAF_CHECK_EQUAL(
    events, (strings{"created", "starting", "started", "payload_started", "finished", "dead"}));
}

CAF_TEST(a payload that was not verified has a code of its own) {
  begin();
  come_up();
  guest_says({payload_status_kind::error, 0, payload_error::payload_changed, "other digest"});
  exit(death_reason::shutdown, exit_kind::code, 0);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 123);
}

CAF_TEST(a guest that hangs is told by its code) {
  config.guest_protocol = true;
  config.started_timeout_s = 5;
  begin();
  come_up();
  pass(5s);
  CAF_CHECK_EQUAL(vmm().killed, 1);
  exit(death_reason::killed, exit_kind::signal, SIGKILL);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 121);
}

CAF_TEST(a timeout after the payload has finished keeps its code) {
  begin(1s);
  come_up();
  guest_says({payload_status_kind::finished, 7, {}, ""});
  pass(1s);
  exit(death_reason::shutdown, exit_kind::code, 0);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 7);
}

CAF_TEST(a payload that a timeout ends has run out of time) {
  begin(1s);
  come_up();
  pass(1s);
  guest_says({payload_status_kind::finished, 143, {}, ""});
  exit(death_reason::shutdown, exit_kind::code, 0);
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 124);
}

CAF_TEST(a door that dies ends the session) {
  begin();
  come_up();
  lose_door();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 126);
  CAF_CHECK_EQUAL(outcome->error, "lost the connection to unix:/run/d.sock");
  CAF_CHECK(outcome->lost);
}

CAF_TEST(an output that can not be taken ends the session) {
  refuse_output = true;
  begin();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 126);
  CAF_CHECK_EQUAL(outcome->error, "the payload's output can't be opened: no such ticket");
  CAF_CHECK(launcher->launched.empty());
}

CAF_TEST(what is denied is said with where it is granted) {
  answers->create = [](tests::door_answers::door, const vm_config&,
                       const ticket_list&) -> caf::result<vm_info> {
    return caf::make_error(vm_errc::denied, "uid 1000 lacks \"custom\"");
  };
  begin();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 4);
  CAF_CHECK_EQUAL(outcome->error,
                  "permission denied by crosvisord: uid 1000 lacks \"custom\" (granted in "
                  "/etc/crosvisor/crosvisor.json)");
}

CAF_TEST(tickets go with the configuration) {
  ticket_list given;
  auto create = answers->create;
  answers->create = [&](tests::door_answers::door at, const vm_config& what,
                        const ticket_list& handed) {
    given = handed;
    return create(at, what, handed);
  };
  files.tickets = {"a", "b"};
  begin();
  CAF_CHECK_EQUAL(given.tickets, (strings{"a", "b"}));
}

CAF_TEST_FIXTURE_SCOPE_END()
