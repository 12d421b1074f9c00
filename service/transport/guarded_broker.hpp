// SPDX-License-Identifier: Apache-2.0
// CAF's brokers of guarded connections.
#pragma once

#include "crosvisor/service/transport/guarded_connection.hpp"
#include "crosvisor/service/transport/node_table.hpp"

#include <caf/actor_system.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/typed_response_promise.hpp>

#include <memory>
#include <vector>

namespace crosvisor::transport {

class guarded_doorman;

/// CAF's broker, but it spawns nothing for a node that it learns of, so that it keeps nothing of
/// one that is gone, and it looks after its connections' deadlines. All of it runs on CAF's I/O
/// thread. Besides CAF's own messages:
///
/// - (tick): looks after the connections.
/// - (close): closes all listeners and connections. Answers when nothing is left of them.
class guarded_broker : public caf::io::basp_broker {
public:
  using caf::io::basp_broker::basp_broker;

  caf::behavior make_behavior() override;
  void learned_new_node_directly(const caf::node_id&, bool) override {}
  void learned_new_node_indirectly(const caf::node_id&) override {}

  /// A connection is there, whose deadlines are to be looked after.
  void look_after();

  /// A listener can't accept now, and is to try again in a moment.
  void pause(caf::intrusive_ptr<guarded_doorman> doorman);

private:
  void tick();
  void close_everything();
  void await_closed();

  bool ticking_ = false;
  /// Who waits for all to be closed.
  std::vector<caf::typed_response_promise<caf::ok_atom>> closing_;
  std::vector<caf::intrusive_ptr<guarded_doorman>> paused_;
};

/// The service's. It names no actor but those that are served: a message of another one has no
/// sender for a client, so that nobody learns of its id, nor can reach it.
class serving_broker : public guarded_broker {
public:
  using guarded_broker::guarded_broker;

  const char* name() const override { return "crosvisor-serving-broker"; }
  caf::behavior make_behavior() override;

  /// Gives the node free, now that nothing of it is left here.
  void purge_state(const caf::node_id& node) override;

  /// Where its clients' nodes are bound, the same for all listeners; before each of them.
  void know(std::shared_ptr<node_table> nodes) {
    if (!nodes_)
      nodes_ = std::move(nodes);
  }

private:
  bool serves(const caf::strong_actor_ptr& actor) const;

  std::shared_ptr<node_table> nodes_;
};

/// A client's.
class calling_broker : public guarded_broker {
public:
  using guarded_broker::guarded_broker;

  const char* name() const override { return "crosvisor-calling-broker"; }
};

/// The system's broker of its kind, which is made when it is asked for first. Any thread. The
/// system's middleman must be loaded.
caf::actor serving_broker_of(caf::actor_system& system);
caf::actor calling_broker_of(caf::actor_system& system);

} // namespace crosvisor::transport
