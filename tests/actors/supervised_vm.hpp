// SPDX-License-Identifier: Apache-2.0
// One supervised VM with a fake VMM.
#pragma once

#include "crosvisor/tests/actors/fixture.hpp"

namespace crosvisor::tests {

struct supervised_vm : actor_fixture {
  /// @param with_vsock whether there is vsock for guests.
  explicit supervised_vm(vm_config config = small_vm("demo"), vmm_choice choice = {},
                         bool privileged_ports = false, bool with_vsock = true) {
    actors::vm_supervisor_options options{{2048, config, choice, vm_files{}, nullptr, nullptr},
                                          actors::describe_new_vm(2048, config, choice),
                                          launcher,
                                          timeouts,
                                          registry,
                                          nullptr,
                                          privileged_ports,
                                          pool};
    if (with_vsock)
      options.streams = streams;
    supervisor = ends_with_test(sys.spawn(actors::vm_supervisor, std::move(options)));
    vm = caf::actor_cast<vm_actor>(supervisor);
    told = listen(vm);
  }

  image_builder_pool_actor pool = spawn_pool();
  registry_actor registry = spawn_registry();
  vm_supervisor_actor supervisor;
  vm_actor vm;
  told_events told;

  /// The VM's streams.
  fake_streams& guest() { return *streams->made.at(0); }

  /// The guest writes a line to its status channel.
  void say(payload_status_kind kind, std::int32_t exit_code = 0,
           payload_error error = payload_error::unknown, std::string message = "") {
    guest().callbacks.on_status({kind, exit_code, error, std::move(message)});
    settle();
  }

  /// The guest connects to a port of the host's.
  std::weak_ptr<io::unique_fd> connect(std::uint32_t port) {
    auto socket = std::make_shared<io::unique_fd>();
    std::weak_ptr<io::unique_fd> seen = socket;
    caf::anon_send(supervisor, caf::connect_atom::value, port, vsock_socket{std::move(socket)});
    settle();
    return seen;
  }

  fake_vmm& vmm() { return *launcher->launched.at(0); }

  void exit_with(death_reason reason, exit_kind kind = exit_kind::code, int value = 0) {
    vmm().callbacks.on_exit({kind, value, reason, ""});
    settle();
  }

  std::shared_ptr<outcome<vm_info>> start() { return ask<vm_info>(vm, start_atom::value); }

  std::shared_ptr<outcome<vm_info>> start_and_run() {
    auto started = start();
    vmm().callbacks.on_up(4711);
    settle();
    return started;
  }

  std::shared_ptr<outcome<vm_info>> stop(caf::timespan grace = std::chrono::seconds{10}) {
    return ask<vm_info>(vm, stop_atom::value, grace);
  }

  /// Answers the VMM's newest request.
  void answer(io::result<void> done) {
    auto last = vmm().requests.back();
    last.done(std::move(done));
    settle();
  }

  vm_info info() { return ask<vm_info>(vm, caf::get_atom::value, state_atom::value)->get(); }

  bool alive() {
    return static_cast<bool>(ask<vm_info>(vm, caf::get_atom::value, state_atom::value)->value);
  }

  /// The kinds of all events so far, joined by blanks.
  std::string story() const {
    std::string words;
    for (const auto& event : *told)
      words += (words.empty() ? "" : " ") + to_string(event.kind);
    return words;
  }
};

} // namespace crosvisor::tests
