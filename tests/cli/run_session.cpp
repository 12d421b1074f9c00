// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/run_session.hpp"

#include "crosvisor/service/service.hpp"
#include "crosvisor/tests/actors/fixture.hpp"

#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE cli.run_session

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace std::chrono_literals;

namespace {

/// A whole service over fakes, and a session of which all that it says is kept.
struct fixture : tests::actor_fixture {
  fixture() {
    backend.host.vmms = {{vmm_kind::qemu, "/usr/bin/qemu", "7.2", {true, ""}, {}}};
    backend.host.vsock_device = {true, "/usr/libexec/crosvisor/crosvisor-vsock"};
    backend.launcher = launcher;
    backend.cids = claimer;
    backend.last_cid = last_cid;
    backend.streams = streams;
    backend.vsock = listener;
    service = ends_with_test(spawn_service(sys, backend, {}));
    config = small_vm("demo");
  }

  void begin(caf::timespan timeout = 0s) {
    run_session_options options;
    options.service = service;
    options.config = config;
    options.files = std::make_shared<io::descriptor_set>();
    options.timeout = timeout;
    options.grace = 10s;
    options.longest_stop = 60s;
    options.on_event = [this](const vm_event& event) { events.push_back(to_string(event.kind)); };
    options.on_output = [this](io::unique_fd from) {
      launched_before_output = !launcher->launched.empty();
      output = std::move(from);
    };
    options.say = [this](const std::string& sentence) { said.push_back(sentence); };
    options.on_end = [this](run_outcome how) { outcome = std::move(how); };
    session = ends_with_test(sys.spawn(run_session, std::move(options)));
    settle();
  }

  tests::fake_vmm& vmm() { return *launcher->launched.at(0); }

  void come_up() {
    vmm().callbacks.on_up(4711);
    settle();
  }

  void exit(death_reason reason, exit_kind kind, int value) {
    vmm().callbacks.on_exit({kind, value, reason, ""});
    settle();
  }

  void signal(int number) {
    caf::anon_send(session, signal_atom::value, std::int32_t{number});
    settle();
  }

  /// The guest writes a line to its status channel.
  void guest_says(payload_status line) {
    streams->made.at(0)->callbacks.on_status(std::move(line));
    settle();
  }

  io::unique_fd output;
  bool launched_before_output = false;
  io::backend backend;
  service_actor service;
  vm_config config;
  run_session_actor session;
  std::vector<std::string> events;
  std::vector<std::string> said;
  std::optional<run_outcome> outcome;
};

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
  service = ends_with_test(spawn_service(sys, backend, {}));
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

CAF_TEST(a service that dies ends the session) {
  begin();
  come_up();
  caf::anon_send_exit(service, caf::exit_reason::kill);
  settle();
  CAF_REQUIRE(outcome);
  CAF_CHECK_EQUAL(outcome->exit_code, 126);
  CAF_CHECK(outcome->error.starts_with("vm 2048 is lost: "));
}

CAF_TEST_FIXTURE_SCOPE_END()
