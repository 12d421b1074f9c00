// SPDX-License-Identifier: Apache-2.0
// A whole service over fakes, a door to it, and a session of which all that it says is kept.
#pragma once

#include "crosvisor/cli/run_session.hpp"
#include "crosvisor/service/service.hpp"
#include "crosvisor/tests/actors/fixture.hpp"
#include "crosvisor/tests/cli/service_door.hpp"

namespace crosvisor::tests {

struct session_fixture : actor_fixture {
  session_fixture() {
    backend.host.vmms = {{vmm_kind::qemu, "/usr/bin/qemu", "7.2", {true, ""}, {}}};
    backend.host.vsock_device = {true, "/usr/libexec/crosvisor/crosvisor-vsock"};
    backend.launcher = launcher;
    backend.cids = claimer;
    backend.last_cid = last_cid;
    backend.streams = streams;
    backend.vsock = listener;
    config = small_vm("demo");
    serve();
  }

  ~session_fixture() override { known->vms.clear(); }

  /// A service over the backend as it is now, and a door to it.
  void serve() {
    service = ends_with_test(spawn_service(sys, backend, {}));
    answers = answers_of(service, known);
    door = ends_with_test(sys.spawn(answering_door, answers));
  }

  cli::run_session_options session_options(caf::timespan timeout) {
    cli::run_session_options options;
    options.door = door;
    options.service = "unix:/run/d.sock";
    options.config = config;
    options.files = files;
    options.detach = detach;
    options.no_start = no_start;
    options.timeout = timeout;
    options.grace = std::chrono::seconds{10};
    options.longest_stop = std::chrono::seconds{60};
    options.on_event = [this](const vm_event& event) { events.push_back(to_string(event.kind)); };
    if (takes_pieces)
      options.on_piece = [this](const output_chunk& piece) { pieces += piece.bytes; };
    else if (!detach)
      options.on_output = [this](const ticket& of) { return take_output(of); };
    options.output_window = 100;
    if (reconnects)
      options.on_lost = [this] { ++losses; };
    options.say = [this](const std::string& sentence) { said.push_back(sentence); };
    options.on_end = [this](cli::run_outcome how) { outcome = std::move(how); };
    return options;
  }

  void begin(caf::timespan timeout = caf::timespan::zero()) {
    session = ends_with_test(sys.spawn(cli::run_session, session_options(timeout)));
    settle();
  }

  io::result<void> take_output(const ticket& of) {
    launched_before_output = !launcher->launched.empty();
    if (refuse_output)
      return io::failure{0, "no such ticket"};
    output = std::move(*known->opened.at(of));
    return {};
  }

  fake_vmm& vmm() { return *launcher->launched.at(0); }

  void come_up() {
    vmm().callbacks.on_up(4711);
    settle();
  }

  void exit(death_reason reason, exit_kind kind, int value) {
    vmm().callbacks.on_exit({kind, value, reason, ""});
    settle();
  }

  void signal(int number) {
    caf::anon_send(session, cli::signal_atom::value, std::int32_t{number});
    settle();
  }

  /// The guest writes a line to its status channel.
  void guest_says(payload_status line) {
    streams->made.at(0)->callbacks.on_status(std::move(line));
    settle();
  }

  void lose_door() {
    caf::anon_send_exit(door, caf::exit_reason::kill);
    settle();
  }

  /// The session is given a door to the same service.
  void find_door() {
    door = ends_with_test(sys.spawn(answering_door, answers));
    caf::anon_send(session, attach_atom::value, caf::actor_cast<caf::strong_actor_ptr>(door));
    settle();
  }

  io::backend backend;
  service_actor service;
  std::shared_ptr<passed_through> known = std::make_shared<passed_through>();
  std::shared_ptr<door_answers> answers;
  door_actor door;
  vm_config config;
  ticket_list files;
  bool detach = false;
  bool no_start = false;
  bool takes_pieces = false;
  bool reconnects = false;
  bool refuse_output = false;

  cli::run_session_actor session;
  io::unique_fd output;
  bool launched_before_output = false;
  std::string pieces;
  int losses = 0;
  std::vector<std::string> events;
  std::vector<std::string> said;
  std::optional<cli::run_outcome> outcome;
};

} // namespace crosvisor::tests
