// SPDX-License-Identifier: Apache-2.0
// One VM that was there before its supervisor.
#pragma once

#include "crosvisor/tests/actors/fixture.hpp"

#include <initializer_list>
#include <map>
#include <utility>

namespace crosvisor::tests {

inline caller alice() {
  return {caller_kind::socket, 1000, 1000, {27, 100}, 4711, "", ""};
}

/// One VM that a keeper has.
struct vm_of_keeper : actor_fixture {
  vm_of_keeper() {
    kept.cid = 2050;
    kept.config = small_vm("demo");
    kept.notes = {{actors::owner_note, actors::encode_owner(alice())},
                  {actors::created_note, "1700000000000"},
                  {"door.references", "2"}};
  }

  io::kept_vm kept;
  vm_history history;
  registry_actor registry;
  vm_actor vm;
  told_events told;

  /// What the service before told of it.
  void tell_before(std::initializer_list<std::pair<vm_event_kind, vm_state>> events) {
    for (auto [kind, state] : events) {
      vm_event event;
      event.seq = history.seq + 1;
      event.kind = kind;
      event.state = state;
      add(history, event);
    }
  }

  void tell_until_ready() {
    tell_before({{vm_event_kind::created, vm_state::not_started},
                 {vm_event_kind::starting, vm_state::starting},
                 {vm_event_kind::started, vm_state::started},
                 {vm_event_kind::payload_started, vm_state::started},
                 {vm_event_kind::ready, vm_state::ready}});
  }

  void spawn_registry(std::vector<io::kept_vm> all, std::map<vm_cid, vm_history> histories) {
    registry =
      ends_with_test(sys.spawn(actors::registry, actors::registry_options{{2048, 2052},
                                                                          timeouts,
                                                                          launcher,
                                                                          claimer,
                                                                          last_cid,
                                                                          streams,
                                                                          false,
                                                                          {},
                                                                          std::move(all),
                                                                          std::move(histories)}));
    settle();
  }

  void find_adopted() {
    auto adopted = ask<adopted_vms>(registry, caf::get_atom::value, adopted_atom::value)->get();
    vm = adopted.list.at(0).vm;
    notes = adopted.list.at(0).notes;
    told = listen(vm);
  }

  void adopt(bool with_keeper = true) {
    if (with_keeper)
      launcher->kept.insert(kept.cid);
    spawn_registry({kept}, {{2050, history}});
    find_adopted();
  }

  fake_vmm& vmm() { return *launcher->adopted.at(kept.cid); }
  fake_streams& guest() { return *streams->made.at(0); }

  /// The keeper tells again that it runs.
  void replay_up() {
    vmm().callbacks.on_up(4711);
    settle();
  }
  void replay_ready() {
    replay_up();
    guest().callbacks.on_status({payload_status_kind::ready, 0, payload_error::unknown, ""});
    settle();
  }
  void sync() {
    vmm().callbacks.on_synced();
    settle();
  }
  /// The keeper gives back what the VM was launched from.
  void give_origin() {
    auto config = kept.config;
    config.params = "original";
    vmm().origins.at(0)(
      io::vm_origin{config, kept.choice, std::make_shared<const io::descriptor_set>()});
    settle();
  }
  void exit_with(death_reason reason, exit_kind kind = exit_kind::code, int value = 0) {
    vmm().callbacks.on_exit({kind, value, reason, ""});
    settle();
  }

  void create(const std::string& name) {
    create_error = {};
    sys.spawn([=, this](caf::event_based_actor* asker) {
      asker
        ->request(registry, test_timeout, create_atom::value, small_vm(name), vm_files{},
                  vmm_choice{}, caller{})
        .then(
          [this](const vm_actor& who, const vm_info& what) {
            created = who;
            created_info = what;
          },
          [this](caf::error& why) { create_error = std::move(why); });
    });
    settle();
  }

  vm_info info() { return ask<vm_info>(vm, caf::get_atom::value, state_atom::value)->get(); }
  vm_info listed() { return ask<std::vector<vm_info>>(registry, list_atom::value)->get().at(0); }

  /// `seq:kind` of all events so far, joined by blanks.
  std::string story() const {
    std::string words;
    for (const auto& event : *told)
      words += (words.empty() ? "" : " ") + std::to_string(event.seq) + ':' + to_string(event.kind);
    return words;
  }

  io::vm_notes notes;
  vm_actor created;
  vm_info created_info;
  caf::error create_error;
};

} // namespace crosvisor::tests
