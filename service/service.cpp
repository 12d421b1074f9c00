// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/service.hpp"

#include "crosvisor/actors/registry.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <utility>
#include <variant>

namespace crosvisor {

namespace {

/// Checks what comes in, and passes it on to the registry.
struct service_state {
  static inline const char* name = "service";

  service_actor::stateful_pointer<service_state> self;
  registry_actor registry;
  host_info host;

  explicit service_state(service_actor::stateful_pointer<service_state> selfptr) : self(selfptr) {}

  ~service_state() { caf::anon_send_exit(registry, caf::exit_reason::user_shutdown); }

  /// Everything that can be checked before anything is allocated.
  caf::result<vm_actor, vm_info> create(vm_config& config, vm_files& files) {
    if (auto problem = find_problem(config))
      return caf::make_error(vm_errc::invalid_config, *problem);
    if (!files)
      return caf::make_error(vm_errc::invalid_config, "files: the descriptors are missing");
    auto choice = choose_vmm(config, host);
    if (const auto* no = std::get_if<refusal>(&choice))
      return caf::make_error(no->config_at_fault ? vm_errc::unsupported : vm_errc::vmm_unavailable,
                             no->why);
    return self->delegate(registry, create_atom::value, std::move(config), std::move(files),
                          std::get<vmm_choice>(choice));
  }
};

service_actor::behavior_type service(service_actor::stateful_pointer<service_state> self,
                                     host_info host, actors::registry_options options) {
  self->state.host = std::move(host);
  self->state.registry = self->spawn<caf::monitored>(actors::registry, std::move(options));
  // Without a registry there is no service.
  self->set_down_handler([self](caf::down_msg& down) { self->quit(down.reason); });
  return {
    [self](create_atom, vm_config& config, vm_files& files) {
      return self->state.create(config, files);
    },
    [self](caf::get_atom get, vm_cid cid) {
      return self->delegate(self->state.registry, get, cid);
    },
    [self](caf::get_atom get, vm_name& name) {
      return self->delegate(self->state.registry, get, std::move(name));
    },
    [self](list_atom list) { return self->delegate(self->state.registry, list); },
    [self](caf::get_atom, host_atom) { return self->state.host; },
    [self](drain_atom drain, caf::timespan grace) {
      return self->delegate(self->state.registry, drain, grace);
    },
  };
}

} // namespace

caf::timespan longest_stop(const actors::vm_timeouts& timeouts, caf::timespan grace) {
  return grace + timeouts.quit + timeouts.terminate + timeouts.kill;
}

service_actor spawn_service(caf::actor_system& system, const io::backend& host,
                            const service_options& options) {
  return system.spawn(service, host.host,
                      actors::registry_options{options.cids, options.timeouts, host.launcher,
                                               host.cids, host.last_cid});
}

} // namespace crosvisor
