// SPDX-License-Identifier: Apache-2.0
// One supervised VM with a fake VMM.
#pragma once

#include "crosvisor/tests/actors/fixture.hpp"

namespace crosvisor::tests {

struct supervised_vm : actor_fixture {
  registry_actor registry = spawn_registry();
  vm_supervisor_actor supervisor = ends_with_test(
    sys.spawn(actors::vm_supervisor,
              actors::vm_supervisor_options{{2048, small_vm("demo"), {}, vm_files{}, nullptr},
                                            actors::describe_new_vm(2048, small_vm("demo"), {}),
                                            launcher,
                                            timeouts,
                                            registry}));
  vm_actor vm = caf::actor_cast<vm_actor>(supervisor);
  told_events told = listen(vm);

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
