// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/guarded_broker.hpp"

#include "crosvisor/service/transport/guarded_doorman.hpp"

#include <caf/atom.hpp>
#include <caf/detail/sync_request_bouncer.hpp>
#include <caf/io/middleman.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message_handler.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <mutex>
#include <utility>

namespace crosvisor::transport {

namespace {

/// How exact deadlines are.
constexpr std::chrono::milliseconds tick_interval{250};
constexpr std::chrono::milliseconds closing_interval{5};

/// The middleman's table of brokers has no lock of its own.
template <class Broker>
caf::actor broker_of(caf::actor_system& system, caf::atom_value name) {
  static std::mutex mutex;
  std::lock_guard guard{mutex};
  return system.middleman().named_broker<Broker>(name);
}

} // namespace

caf::behavior guarded_broker::make_behavior() {
  return caf::message_handler{
    [this](caf::tick_atom) { tick(); },
    [this](caf::close_atom) -> caf::result<caf::ok_atom> {
      closing_.push_back(make_response_promise<caf::ok_atom>());
      close_everything();
      return closing_.back();
    },
    [this](caf::close_atom, caf::tick_atom) { await_closed(); },
    [this](caf::close_atom, caf::ok_atom closed) {
      for (auto& waiting : std::exchange(closing_, {}))
        waiting.deliver(closed);
    },
  }
    .or_else(basp_broker::make_behavior());
}

void guarded_broker::look_after() {
  if (std::exchange(ticking_, true))
    return;
  delayed_send(this, tick_interval, caf::tick_atom::value);
}

void guarded_broker::pause(caf::intrusive_ptr<guarded_doorman> doorman) {
  paused_.push_back(std::move(doorman));
  look_after();
}

void guarded_broker::tick() {
  ticking_ = false;
  for (auto& doorman : std::exchange(paused_, {}))
    if (!doorman->resume())
      paused_.push_back(std::move(doorman));
  auto now = guarded_connection::clock::now();
  auto again = !paused_.empty();
  for (auto handle : connections())
    if (auto found = by_id(handle))
      again |= static_cast<guarded_connection&>(*found).tick(now);
  if (again)
    look_after();
}

void guarded_broker::close_everything() {
  paused_.clear();
  auto doormen = get_map(caf::io::accept_handle{});
  for (const auto& [handle, doorman] : doormen) {
    instance.remove_published_actor(doorman->port());
    doorman->graceful_shutdown();
  }
  await_closed();
}

void guarded_broker::await_closed() {
  for (auto handle : connections())
    if (auto found = by_id(handle))
      static_cast<guarded_connection&>(*found).cut();
  // The loop has an event for each connection, in which it leaves the broker.
  if (num_connections() > 0)
    return delayed_send(this, closing_interval, caf::close_atom::value, caf::tick_atom::value);
  // CAF cleans up once its workers have read what came over them last; this comes after.
  auto& queue = instance.queue();
  auto last = queue.new_id();
  queue.push(context(), last, ctrl(),
             caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, caf::close_atom::value,
                                       caf::ok_atom::value));
}

caf::behavior serving_broker::make_behavior() {
  // As CAF's own, but for the sender.
  return caf::message_handler{
    [this](caf::forward_atom, caf::strong_actor_ptr& from,
           const std::vector<caf::strong_actor_ptr>& stages, const caf::strong_actor_ptr& to,
           caf::message_id id, const caf::message& content) {
      if (!to || to->node() == system().node())
        return;
      auto shown = serves(from) ? from : nullptr;
      if (!instance.dispatch(context(), shown, stages, to->node(), to->id(), 0, id, content)
          && id.is_request())
        caf::detail::sync_request_bouncer{caf::exit_reason::remote_link_unreachable}(from, id);
    },
  }
    .or_else(guarded_broker::make_behavior());
}

void serving_broker::purge_state(const caf::node_id& node) {
  guarded_broker::purge_state(node);
  auto key = to_node_key(node);
  if (key && nodes_)
    nodes_->free(*key);
}

bool serving_broker::serves(const caf::strong_actor_ptr& actor) const {
  const auto& served = instance.published_actors();
  return actor && std::any_of(served.begin(), served.end(), [&](const auto& one) {
           return one.second.first == actor;
         });
}

caf::actor serving_broker_of(caf::actor_system& system) {
  return broker_of<serving_broker>(system, caf::atom("CrosServe"));
}

caf::actor calling_broker_of(caf::actor_system& system) {
  return broker_of<calling_broker>(system, caf::atom("CrosCall"));
}

} // namespace crosvisor::transport
