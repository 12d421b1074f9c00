// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/listener.hpp"

#include "crosvisor/io/logging.hpp"
#include "crosvisor/messages/type_ids.hpp"
#include "crosvisor/service/transport/dialer.hpp"
#include "crosvisor/service/transport/guarded_broker.hpp"
#include "crosvisor/service/transport/guarded_doorman.hpp"

#include <caf/actor_cast.hpp>
#include <caf/io/middleman.hpp>
#include <caf/send.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace crosvisor::transport {

namespace {

std::shared_ptr<const service_guard::terms>
make_guard_terms(caf::actor_system& system, const door_actor& door, std::uint32_t message_bytes) {
  service_guard::terms terms;
  terms.own = to_node_key(system.node()).value_or(node_key{});
  terms.door = door->id();
  add_inputs<door_actor>(terms.shapes);
  terms.message_bytes = message_bytes;
  return std::make_shared<const service_guard::terms>(std::move(terms));
}

/// Whether it is a listening stream socket, and not blocking from now on.
io::result<void> prepare(int socket) {
  int listens = 0;
  socklen_t size = sizeof(listens);
  if (::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0)
    return io::last_failure("listening socket");
  int type = 0;
  size = sizeof(type);
  if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
    return io::last_failure("listening socket");
  if (listens == 0 || type != SOCK_STREAM)
    return io::failure{0, "listening socket: not a stream socket that listens"};
  auto flags = ::fcntl(socket, F_GETFL);
  if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0)
    return io::last_failure("listening socket");
  return {};
}

} // namespace

listener_terms::listener_terms(caf::actor_system& system, const door_actor& door,
                               const peers& known, listen_options options)
    : options_(std::move(options)),
      nodes_(static_cast<const peer_registry&>(known).nodes()),
      quota_(static_cast<const peer_registry&>(known).make_quota(options_)),
      guard_terms_(make_guard_terms(system, door, options_.limits.message_bytes)) {}

io::result<connection_terms> listener_terms::welcome() {
  connection_terms terms;
  terms.slot = quota_->open();
  if (!terms.slot)
    return io::failure{
      0, "there are as many connections as there may be, or as may be of nobody yet, which is "
         "half of them (limits.connections)"};
  terms.guard = std::make_unique<service_guard>(guard_terms_, nodes_);
  terms.handshake = options_.limits.handshake;
  terms.unread_bytes = options_.limits.unread_bytes;
  return terms;
}

io::result<void> listener_terms::admit(basp_guard& guard, connection_slot& slot, const caller& who,
                                       std::vector<std::uint32_t> process_ids) {
  if (!slot.assign(who))
    return io::failure{0, "it has as many connections as one user may have "
                          "(limits.connections_per_user)"};
  if (options_.admits && !options_.admits(who))
    return io::failure{0, "it may not connect"};
  static_cast<service_guard&>(guard).identify(who, std::move(process_ids));
  return {};
}

void listener_terms::complain(const std::string& why) {
  std::lock_guard guard{mutex_};
  auto now = std::chrono::steady_clock::now();
  if (now - logged_ < std::chrono::seconds{1}) {
    ++unlogged_;
    return;
  }
  logged_ = now;
  if (auto more = std::exchange(unlogged_, 0))
    log::warn("transport: {} ({} more were not logged)", why, more);
  else
    log::warn("transport: {}", why);
}

io::result<void> expect_family(int socket, std::initializer_list<int> families) {
  int family = AF_UNSPEC;
  socklen_t size = sizeof(family);
  if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0)
    return io::last_failure("listening socket");
  if (std::find(families.begin(), families.end(), family) == families.end())
    return io::failure{0, "listening socket: of another family than this transport's"};
  return {};
}

io::result<void> serve(caf::actor_system& system, const door_actor& door, io::unique_fd listening,
                       std::shared_ptr<listener_terms> terms, connection_factory make) {
  auto loop = loop_of(system);
  if (!loop)
    return loop.why();
  auto ready = prepare(listening.get());
  if (!ready)
    return ready;
  // Names the door's entry in the broker; ports do that for TCP.
  static std::atomic<std::uint16_t> last_slot{0};
  std::uint16_t slot = ++last_slot;
  auto broker = serving_broker_of(system);
  static_cast<serving_broker*>(caf::actor_cast<caf::abstract_actor*>(broker))->know(terms->nodes());
  caf::io::doorman_ptr doorman = caf::make_counted<guarded_doorman>(
    **loop, std::move(listening), slot, std::move(terms), std::move(make));
  caf::anon_send(broker, caf::publish_atom::value, std::move(doorman), slot,
                 caf::actor_cast<caf::strong_actor_ptr>(door), system.message_types(door));
  return {};
}

} // namespace crosvisor::transport
