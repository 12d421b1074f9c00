// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/dialer.hpp"

#include "crosvisor/messages/type_ids.hpp"
#include "crosvisor/service/transport/guarded_broker.hpp"

#include <caf/actor_cast.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/sec.hpp>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace crosvisor::transport {

namespace {

using caf::io::network::default_multiplexer;

/// A service may answer more than a client may say: a list of thousands of VMs, a piece of a log.
constexpr std::uint32_t max_answer_bytes = 16u << 20;

std::shared_ptr<const client_guard::terms> make_terms(caf::actor_system& system) {
  client_guard::terms terms;
  terms.own = to_node_key(system.node()).value_or(node_key{});
  add_outputs<door_actor>(terms.answers);
  terms.answers.add<>(); // Of what answers nothing.
  terms.answers.add<caf::error>();
  add_inputs<subscriber_actor>(terms.telegrams);
  add_inputs<output_reader_actor>(terms.telegrams);
  add_inputs<progress_actor>(terms.telegrams);
  add_inputs<stream_client_actor>(terms.telegrams);
  terms.message_bytes = max_answer_bytes;
  return std::make_shared<const client_guard::terms>(std::move(terms));
}

/// Why this side ended the connection, written before CAF says that it is gone.
struct last_word {
  std::string why;
  bool refused = false; ///< The service said that it does not admit this client.
};

connection_terms make_connection_terms(caf::actor_system& system, std::chrono::milliseconds bound,
                                       const std::shared_ptr<last_word>& word) {
  connection_terms terms;
  terms.guard = std::make_unique<client_guard>(make_terms(system));
  terms.waits_for_greeting = false;
  terms.handshake = bound;
  terms.unread_bytes = std::size_t{64} << 20;
  terms.on_end = [word, guard = terms.guard.get()](const std::string& why) {
    *word = {why, guard->refused()};
  };
  return terms;
}

std::string sentence_of(const caf::error& why, const last_word& word) {
  if (word.refused)
    return "does not admit this client, or has no room for it (limits.connections); its log says "
           "which";
  if (why == caf::sec::request_timeout || word.why == "no handshake in time")
    return "does not answer";
  if (!word.why.empty())
    return "what answers is no crosvisord: " + word.why;
  if (why == caf::sec::disconnect_during_handshake)
    return "closed the connection during the handshake";
  return "no handshake: " + caf::to_string(why);
}

/// The door, if the actor that is served is one.
io::result<door_actor> as_door(caf::actor_system& system, const caf::strong_actor_ptr& served,
                               std::set<std::string> handles, const std::string& where) {
  if (!served)
    return io::failure{0, where + ": serves nothing"};
  auto ours = system.message_types(caf::detail::type_list<door_actor>{});
  if (!system.assignable(handles, ours))
    return io::failure{0, where + ": its crosvisord has another version"};
  return caf::actor_cast<door_actor>(served);
}

} // namespace

io::result<default_multiplexer*> loop_of(caf::actor_system& system) {
  auto loop = system.has_middleman()
                ? dynamic_cast<default_multiplexer*>(&system.middleman().backend())
                : nullptr;
  if (loop == nullptr)
    return io::failure{0, "actor system: load_middleman() was not called for it"};
  return loop;
}

io::result<door_actor> meet(caf::actor_system& system, io::unique_fd connected,
                            const dialing_factory& make, const std::string& where,
                            std::chrono::milliseconds bound) {
  auto loop = loop_of(system);
  if (!loop)
    return loop.why();
  auto word = std::make_shared<last_word>();
  caf::io::scribe_ptr scribe =
    make(**loop, std::move(connected), make_connection_terms(system, bound, word));
  if (!scribe)
    return io::failure{0, where + ": no connection"};
  io::result<door_actor> door = io::failure{};
  caf::scoped_actor asker{system};
  auto broker = calling_broker_of(system);
  asker->request(broker, bound, caf::connect_atom::value, std::move(scribe), std::uint16_t{1})
    .receive(
      [&](caf::node_id&, caf::strong_actor_ptr& served, std::set<std::string>& handles) {
        door = as_door(system, served, std::move(handles), where);
      },
      [&](caf::error& why) {
        door = io::failure{word->refused ? EACCES : 0, where + ": " + sentence_of(why, *word)};
      });
  return door;
}

} // namespace crosvisor::transport
