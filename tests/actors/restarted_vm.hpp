// SPDX-License-Identifier: Apache-2.0
// One VM through several lives.
#pragma once

#include "crosvisor/tests/actors/fixture.hpp"

#include <fcntl.h>

#include <utility>

namespace crosvisor::tests {

using namespace std::chrono_literals;

/// A VM through several lives.
struct restarted_vm : actor_fixture {
  registry_actor registry;
  image_builder_pool_actor pool = spawn_pool();
  vm_config config = small_vm("demo");
  vm_actor vm;
  told_events told;

  restarted_vm() { config.restart = restart_policy::on_failure; }

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

  /// The last life steps aside for the next one.
  void go() {
    if (auto done = std::exchange(vmm().aside_done, nullptr))
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

} // namespace crosvisor::tests
