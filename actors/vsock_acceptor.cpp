// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/vsock_acceptor.hpp"

#include "crosvisor/io/logging.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace crosvisor::actors {

namespace {

/// The listener outlives the acceptor, so its callbacks don't hold it; what comes when it is gone
/// is closed.
io::vsock_callbacks report_to(const caf::actor_addr& address) {
  return {
    [address](io::guest_connection got) {
      if (auto self = caf::actor_cast<vsock_acceptor_actor>(address))
        caf::anon_send(self, caf::connect_atom::value, got.cid, got.port, std::move(got.socket));
    },
    [address](std::uint32_t port, std::string what) {
      if (auto self = caf::actor_cast<vsock_acceptor_actor>(address))
        caf::anon_send(self, lost_atom::value, port, std::move(what));
    },
  };
}

} // namespace

vsock_acceptor_state::~vsock_acceptor_state() {
  if (options_.listener)
    options_.listener->close();
}

// -- connections --------------------------------------------------------------

void vsock_acceptor_state::take(vm_cid cid, std::uint32_t port, vsock_socket socket) {
  if (cid < options_.first_cid)
    return refuse(cid, port, "no VM has such a CID");
  if (pending_ >= max_pending)
    return refuse(cid, port, "too many connections wait to be handed over");
  hand_over(cid, port, std::move(socket));
}

void vsock_acceptor_state::hand_over(vm_cid cid, std::uint32_t port, vsock_socket socket) {
  ++pending_;
  self_
    ->request(options_.registry, options_.timeouts.lookup, caf::get_atom::value,
              supervisor_atom::value, cid)
    .then(
      [this, port, socket](const vm_supervisor_actor& vm) {
        --pending_;
        self_->send(vm, caf::connect_atom::value, port, socket);
      },
      [this, cid, port](const caf::error& why) {
        --pending_;
        log::debug("acceptor closes a connection of CID {} to port {}: {}", cid, port,
                   sentence_of(why));
      });
}

void vsock_acceptor_state::refuse(vm_cid cid, std::uint32_t port, const char* why) {
  if (!refusals_.take(self_->clock().now()))
    return;
  if (auto dropped = refusals_.take_dropped(); dropped > 0)
    log::warn("acceptor refused {} connections more", dropped);
  log::warn("acceptor refuses a connection of CID {} to port {}: {}", cid, port, why);
}

// -- ports --------------------------------------------------------------------

void vsock_acceptor_state::listen(std::uint32_t port) {
  auto done = options_.listener->listen(port);
  if (!done)
    return try_later(port, done.why().what);
  if (ports_[port].retry > caf::timespan::zero())
    log::info("acceptor serves port {}", port);
  ports_[port] = {{true, ""}, caf::timespan::zero()};
}

void vsock_acceptor_state::lose(std::uint32_t port, std::string what) {
  // What is not served is being tried again already.
  if (auto i = ports_.find(port); i != ports_.end() && i->second.served.available)
    try_later(port, std::move(what));
}

void vsock_acceptor_state::try_later(std::uint32_t port, std::string what) {
  auto& state = ports_[port];
  if (state.retry == caf::timespan::zero())
    log::error("acceptor can't serve port {}, and tries again: {}", port, what);
  state.retry =
    std::clamp(state.retry * 2, options_.timeouts.first_retry, options_.timeouts.last_retry);
  state.served = {false, std::move(what)};
  self_->delayed_send(self_, state.retry, caf::tick_atom::value, port);
}

std::vector<vsock_port> vsock_acceptor_state::ports() const {
  std::vector<vsock_port> all;
  for (const auto& [port, state] : ports_)
    all.push_back({port, state.served});
  return all;
}

// -- the actor ----------------------------------------------------------------

vsock_acceptor_actor::behavior_type
vsock_acceptor_state::make_behavior(vsock_acceptor_options options) {
  options_ = std::move(options);
  options_.listener->open(report_to(self_->address()));
  listen(payload_output_port);
  listen(payload_status_port);
  return {
    [this](caf::connect_atom, vm_cid cid, std::uint32_t port, vsock_socket& socket) {
      take(cid, port, std::move(socket));
    },
    [this](lost_atom, std::uint32_t port, std::string& what) { lose(port, std::move(what)); },
    [this](caf::tick_atom, std::uint32_t port) { listen(port); },
    [this](caf::get_atom, host_atom) { return ports(); },
  };
}

vsock_acceptor_actor::behavior_type
vsock_acceptor(vsock_acceptor_actor::stateful_pointer<vsock_acceptor_state> self,
               vsock_acceptor_options options) {
  return self->state.make_behavior(std::move(options));
}

} // namespace crosvisor::actors
