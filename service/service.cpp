// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/service.hpp"

#include "crosvisor/actors/image_builder_pool.hpp"
#include "crosvisor/actors/rate_budget.hpp"
#include "crosvisor/actors/registry.hpp"
#include "crosvisor/actors/vsock_acceptor.hpp"
#include "crosvisor/io/logging.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

namespace crosvisor {

namespace {

/// An acceptor that goes down has a bug or found no memory. It gets a successor, so many in so
/// long; then the service ends, since one whose guests go unheard only looks healthy.
constexpr std::size_t max_successors = 10;
constexpr auto successors_window = std::chrono::minutes{10};
/// For an actor behind this one to say what it has counted.
constexpr auto metrics_bound = std::chrono::seconds{5};

/// How the ports are where no acceptor says it.
std::vector<vsock_port> unserved(const std::string& why) {
  return {{payload_output_port, {false, why}}, {payload_status_port, {false, why}}};
}

/// The lowest CID that a VM here can have; a kept one may be from another range.
vm_cid first_cid(const io::backend& host, const service_options& options) {
  auto first = options.cids.first;
  for (const auto& kept : host.kept)
    first = std::min(first, kept.cid);
  return first;
}

/// Checks what comes in, and passes it on to the registry.
class service_state {
public:
  using pointer = service_actor::stateful_pointer<service_state>;

  static inline const char* name = "service";

  explicit service_state(pointer self) : self_(self) {}

  ~service_state() {
    caf::anon_send_exit(acceptor_, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(registry_, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(images_, caf::exit_reason::user_shutdown);
  }

  service_actor::behavior_type make_behavior(const io::backend& host,
                                             const service_options& options);

private:
  /// Everything that can be checked before anything is allocated.
  caf::result<vm_actor, vm_info> create(vm_config& config, vm_files& files, caller owner) {
    if (auto problem = find_problem(config))
      return caf::make_error(vm_errc::invalid_config, *problem);
    if (!files)
      return caf::make_error(vm_errc::invalid_config, "files: the descriptors are missing");
    auto choice = choose_vmm(config, host_);
    if (const auto* no = std::get_if<refusal>(&choice))
      return caf::make_error(no->config_at_fault ? vm_errc::unsupported : vm_errc::vmm_unavailable,
                             no->why);
    return self_->delegate(registry_, create_atom::value, std::move(config), std::move(files),
                           std::get<vmm_choice>(choice), std::move(owner));
  }

  caf::result<caf::ok_atom> make_partition(const partition_spec& spec, vm_files& files) {
    if (!images_)
      return no_images();
    return self_->delegate(images_, create_atom::value, spec, std::move(files));
  }

  caf::result<idsig_info> update_idsig(const idsig_spec& spec, vm_files& files,
                                       const progress_actor& progress) {
    if (!images_)
      return no_images();
    return self_->delegate(images_, create_atom::value, spec, std::move(files), progress);
  }

  static caf::error no_images() {
    return caf::make_error(vm_errc::unsupported, "this service makes no images");
  }

  caf::result<host_info> describe_host();
  caf::result<std::vector<metric_family>> metrics();
  void spawn_acceptor();
  void down(const caf::down_msg& down);

  pointer self_;
  registry_actor registry_;
  image_builder_pool_actor images_; ///< Null: no images are made.
  vsock_acceptor_actor acceptor_;   ///< Null: no vsock.
  actors::vsock_acceptor_options accepting_;
  actors::rate_budget successors_{max_successors, successors_window};
  host_info host_;
};

caf::result<host_info> service_state::describe_host() {
  if (!acceptor_) {
    auto host = host_;
    host.vsock_ports = unserved("this service has no vsock");
    return host;
  }
  auto promise = self_->make_response_promise<host_info>();
  auto answer = [this, promise](std::vector<vsock_port> ports) mutable {
    auto host = host_;
    host.vsock_ports = std::move(ports);
    promise.deliver(std::move(host));
  };
  self_->request(acceptor_, accepting_.timeouts.ports, caf::get_atom::value, host_atom::value)
    .then(
      [answer](std::vector<vsock_port>& ports) mutable { answer(std::move(ports)); },
      [answer](const caf::error&) mutable { answer(unserved("the acceptor does not answer")); });
  return promise;
}

/// Of the registry, and of the image builders where they answer.
caf::result<std::vector<metric_family>> service_state::metrics() {
  if (!images_)
    return self_->delegate(registry_, caf::get_atom::value, metrics_atom::value);
  auto promise = self_->make_response_promise<std::vector<metric_family>>();
  auto fail = [promise](caf::error& why) mutable { promise.deliver(std::move(why)); };
  auto ask_registry = [this, promise, fail](std::vector<metric_family>& images) mutable {
    self_->request(registry_, metrics_bound, caf::get_atom::value, metrics_atom::value)
      .then(
        [promise, images = std::move(images)](std::vector<metric_family>& all) mutable {
          std::move(images.begin(), images.end(), std::back_inserter(all));
          promise.deliver(std::move(all));
        },
        fail);
  };
  self_->request(images_, metrics_bound, caf::get_atom::value, metrics_atom::value)
    .then(ask_registry, fail);
  return promise;
}

void service_state::spawn_acceptor() {
  acceptor_ = self_->spawn<caf::monitored>(actors::vsock_acceptor, accepting_);
}

void service_state::down(const caf::down_msg& down) {
  // Without a registry or image builders there is no service.
  if (down.source != acceptor_)
    return self_->quit(down.reason);
  log::error("service lost its vsock acceptor: {}", to_string(down.reason));
  if (!successors_.take(self_->clock().now()))
    return self_->quit(down.reason ? down.reason : caf::exit_reason::unknown);
  spawn_acceptor();
}

service_actor::behavior_type service_state::make_behavior(const io::backend& host,
                                                          const service_options& options) {
  host_ = host.host;
  auto vsock = host.streams && host.vsock;
  self_->set_down_handler([this](const caf::down_msg& gone) { down(gone); });
  if (host.images)
    images_ = self_->spawn<caf::monitored>(
      actors::image_builder_pool, actors::image_builder_pool_options{
                                    host.images, options.image_workers, options.max_waiting_images,
                                    options.detached_image_builders});
  registry_ = self_->spawn<caf::monitored>(
    actors::registry,
    actors::registry_options{options.cids, options.timeouts, host.launcher, host.cids,
                             host.last_cid, vsock ? host.streams : nullptr,
                             options.privileged_ports, images_, host.kept, options.histories});
  if (vsock) {
    accepting_ = {host.vsock, registry_, first_cid(host, options), options.vsock_timeouts};
    spawn_acceptor();
  }
  return {
    [this](create_atom, vm_config& config, vm_files& files) { return create(config, files, {}); },
    [this](create_atom, vm_config& config, vm_files& files, caller& owner) {
      return create(config, files, std::move(owner));
    },
    [this](caf::get_atom get, vm_cid cid) { return self_->delegate(registry_, get, cid); },
    [this](caf::get_atom get, vm_name& vm) {
      return self_->delegate(registry_, get, std::move(vm));
    },
    [this](list_atom list) { return self_->delegate(registry_, list); },
    [this](caf::get_atom, host_atom) { return describe_host(); },
    [this](caf::get_atom, metrics_atom) { return metrics(); },
    [this](create_atom, const partition_spec& spec, vm_files& files) {
      return make_partition(spec, files);
    },
    [this](create_atom, const idsig_spec& spec, vm_files& files, const progress_actor& progress) {
      return update_idsig(spec, files, progress);
    },
    [this](caf::get_atom get, adopted_atom adopted) {
      return self_->delegate(registry_, get, adopted);
    },
    [this](drain_atom drain, caf::timespan grace) {
      return self_->delegate(registry_, drain, grace);
    },
    [this](leave_atom leave) { return self_->delegate(registry_, leave); },
  };
}

service_actor::behavior_type service(service_state::pointer self, const io::backend& host,
                                     const service_options& options) {
  return self->state.make_behavior(host, options);
}

} // namespace

caf::timespan longest_stop(const actors::vm_timeouts& timeouts, caf::timespan grace) {
  return grace + timeouts.quit + timeouts.terminate + timeouts.kill + timeouts.finish;
}

service_actor spawn_service(caf::actor_system& system, const io::backend& host,
                            const service_options& options) {
  return system.spawn(service, host, options);
}

} // namespace crosvisor
