// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/service/transport/stub_door.hpp"

#include "crosvisor/messages/type_ids.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <set>
#include <utility>
#include <vector>

namespace crosvisor::tests {

namespace {

struct stub_state {
  std::shared_ptr<const caller_directory> callers;
  std::size_t vms = 0;
  std::set<caf::actor_addr> watchers;
};

using stub = door_actor::stateful_pointer<stub_state>;

/// A handler that refuses, for any signature.
template <class... Is, class... Os>
auto handler(stub, caf::typed_mpi<caf::detail::type_list<Is...>, caf::output_tuple<Os...>>*) {
  return [](const Is&...) -> caf::result<Os...> {
    return caf::make_error(vm_errc::unsupported, "not here");
  };
}

auto handler(stub door, caf::replies_to<list_atom>::with<std::vector<vm_info>>*) {
  return [door](list_atom) {
    vm_info info;
    info.name = "listed";
    return std::vector<vm_info>(door->state.vms, info);
  };
}

auto handler(stub door, caf::replies_to<caf::get_atom, host_atom>::with<host_info>*) {
  return [door](caf::get_atom, host_atom) {
    host_info info;
    info.cpus = static_cast<std::uint32_t>(door->state.watchers.size());
    return info;
  };
}

auto handler(stub door, caf::replies_to<caf::get_atom, vm_name>::with<vm_info>*) {
  return [door](caf::get_atom, const vm_name& name) -> caf::result<vm_info> {
    auto who = door->state.callers->find(door->current_sender());
    if (!who)
      return caf::make_error(vm_errc::denied, "nobody");
    vm_info info;
    info.name = name;
    info.owner = std::move(*who);
    return info;
  };
}

auto handler(stub door, caf::replies_to<watch_atom, std::uint64_t>::with<std::uint64_t>*) {
  return [door](watch_atom, std::uint64_t) {
    auto watcher = door->current_sender();
    if (door->state.watchers.insert(watcher->address()).second)
      door->monitor(watcher);
    vm_event event;
    event.name = "told";
    door->spawn([=](caf::event_based_actor* other) {
      other->send(caf::actor_cast<caf::actor>(watcher), event);
    });
    return std::uint64_t{0};
  };
}

template <class... Sigs>
door_actor::behavior_type handlers(stub door, caf::detail::type_list<Sigs...>) {
  return {handler(door, static_cast<Sigs*>(nullptr))...};
}

door_actor::behavior_type behave(stub door, std::shared_ptr<const caller_directory> callers,
                                 std::size_t vms) {
  door->state.callers = std::move(callers);
  door->state.vms = vms;
  door->set_down_handler(
    [door](const caf::down_msg& down) { door->state.watchers.erase(down.source); });
  return handlers(door, door_actor::signatures{});
}

} // namespace

door_actor spawn_stub_door(caf::actor_system& system,
                           std::shared_ptr<const caller_directory> callers, std::size_t vms) {
  return system.spawn(behave, std::move(callers), vms);
}

} // namespace crosvisor::tests
