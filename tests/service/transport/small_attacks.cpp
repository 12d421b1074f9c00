// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/service/transport/basp_attacks.hpp"
#include "crosvisor/tests/service/transport/basp_bytes.hpp"

namespace crosvisor::tests {

namespace {

using namespace basp;

enum class fate { ends, served };

const node_key attacker = own_node(9);
const node_key stranger = own_node(123);

/// What it sends, which may depend on what the service said of itself.
using words = std::function<std::string(const raw_peer&)>;

/// Before the handshake: always the end.
attack before(std::string name, const std::string& bytes) {
  return {std::move(name), [bytes](const attack_target& target) -> std::string {
            raw_peer peer{target.connect()};
            peer.send(bytes);
            return peer.ends() ? "" : "the connection did not end";
          }};
}

attack after(std::string name, fate expected, words bytes) {
  return {std::move(name), [expected, bytes](const attack_target& target) -> std::string {
            raw_peer peer{target.connect()};
            if (!peer.greet(attacker))
              return "no handshake";
            peer.send(bytes(peer));
            if (expected == fate::served)
              return peer.served() ? "" : "it is not served";
            return peer.ends() ? "" : "the connection did not end";
          }};
}

/// A message to the door.
attack says(std::string name, const std::string& content, std::uint64_t id = request) {
  return after(std::move(name), fate::ends,
               [=](const raw_peer& peer) { return message(peer.door(), content, id); });
}

attack claims(std::string name, std::uint32_t size) {
  return before(std::move(name), header({basp_operation::client_handshake, 0, size, 0, 0, 0}));
}

std::vector<attack> before_the_handshake() {
  auto short_node = atom(caf::atom("default")) + number(1, 4);
  return {
    before("a server's handshake without a payload",
           header({basp_operation::server_handshake, 0, 0, 3, 0, 0})),
    before("an empty client handshake", header({basp_operation::client_handshake, 0, 0, 0, 0, 0})),
    before("a server's handshake", frame({basp_operation::server_handshake, 0, 0, 3, 0, 0},
                                         node(stranger) + size_of(1) + text("generic-caf-app")
                                           + number(0, 8) + size_of(0))),
    before("an unknown operation", header({static_cast<basp_operation>(9), 0, 0, 0, 0, 0})),
    before("an unknown flag",
           frame({basp_operation::client_handshake, 64, 0, 0, 0, 0}, node(attacker))),
    before("a message before the handshake", message(6, list_content())),
    before("a monitor before the handshake", monitor(attacker, stranger, 6)),
    before("a node id that is none",
           frame({basp_operation::client_handshake, 0, 0, 0, 0, 0}, number(0, 8))),
    before("a node id of 32 zeros",
           frame({basp_operation::client_handshake, 0, 0, 0, 0, 0}, std::string(32, '\0'))),
    before("a node id that is an address", frame({basp_operation::client_handshake, 0, 0, 0, 0, 0},
                                                 atom(caf::atom("uri")) + std::string(24, 'x'))),
    before("a node id that is cut short",
           frame({basp_operation::client_handshake, 0, 0, 0, 0, 0}, short_node)),
    before("random bytes", std::string(4096, '\x5a')),
    claims("a payload of almost 4 GiB", 0xfffffff0),
    claims("a payload of 1 GiB", 1u << 30),
  };
}

std::vector<attack> bad_contents() {
  auto ptr = number(6, 8) + node(stranger);
  return {
    says("a type that is unknown", content("@<>+no_such_type", "")),
    says("bytes that are none of a message", std::string(300, '\x93')),
    says("characters of almost 4 GiB", content("@<>+@charbuf", size_of(0xfffffff0))),
    says("text of almost 4 GiB",
         content("@<>+@atom+@str", atom(caf::atom("get")) + size_of(0xfffffff0))),
    says("tickets without end",
         content("@<>+@atom+crosvisor::idsig_spec+crosvisor::ticket_list",
                 atom(caf::atom("create")) + std::string(30, '\0') + size_of(0xffffff00))),
    says("messages in a message", content("@<>+@message", nested(20))),
    says("messages in a message, 60000 deep",
         content("@<>+@message", nested(60000).substr(0, 900000))),
    says("an error with messages in it", content("@<>+@error", error(nested(20000)))),
    says("a unit", content("@<>+@unit", "")),
    says("an empty message", content("@<>", "")),
    says("an exit message", exit_content(attacker)),
    says("a link with a pointer to an actor of the service's",
         content("@<>+@atom+@strong_actor_ptr", atom(caf::atom("link")) + ptr)),
    says("an actor's handle", content("@<>+@strong_actor_ptr", ptr)),
    says("a message and more", list_content() + "x"),
    says("an atom that the door does not know", content("@<>+@atom", atom(caf::atom("link")))),
    says("a message to be passed on",
         size_of(1) + ptr + number(0, 2) + text("@<>+@atom") + atom(caf::atom("list"))),
    says("an answer to nobody's question", list_content(), 0x9000000000000001),
    says("an urgent message", list_content(), 0x0000000000000001),
    says("a stream's message", list_content(), 0x2000000000000001),
    says("more than may be", std::string((1u << 20) + 1, 'x')),
    says("a piece of a stream of almost 4 GiB",
         content("@<>+crosvisor::stream_piece", number(1, 8) + size_of(0xfffffff0))),
    says("a piece of a stream and more",
         content("@<>+crosvisor::stream_piece", number(1, 8) + text("x") + number(0, 1) + "x")),
    says("that a stream is closed, which is the door's to say",
         content("@<>+@atom+@u64+@error",
                 atom(caf::atom("closed")) + number(1, 8) + error(number(0, 2) + text("@<>")))),
    says("that a stream is over, which is the door's own",
         content("@<>+@atom+@atom+@u64+bool+@str", atom(caf::atom("finished"))
                                                     + atom(caf::atom("stream")) + number(1, 8)
                                                     + number(0, 1) + text(""))),
  };
}

std::vector<attack> wrong_receivers() {
  auto put =
    content("@<>+@atom+@str+@message", atom(caf::atom("put")) + text("k") + number(0, 2)
                                         + text("@<>+@str") + text(std::string(100000, 'x')));
  auto to_name = [](std::string name, caf::atom_value whom, const std::string& what) {
    return after(std::move(name), fate::ends, [=](const raw_peer&) {
      return message(static_cast<std::uint64_t>(whom), what, unasked, 77, 1);
    });
  };
  return {
    to_name("a word to the configuration server", caf::atom("ConfigServ"), put),
    to_name("an exit message to the spawn server", caf::atom("SpawnServ"), exit_content(attacker)),
    to_name("a type to be spawned", caf::atom("SpawnServ"),
            content("@<>+@atom+@str+@message", atom(caf::atom("spawn")) + text("x") + nested(1))),
    after("a message to another actor", fate::ends,
          [](const raw_peer& peer) { return message(peer.door() + 1, list_content(), request); }),
    after("a message without a sender", fate::ends,
          [](const raw_peer& peer) { return message(peer.door(), list_content(), request, 0); }),
    after("a message to be routed", fate::ends,
          [](const raw_peer& peer) {
            return frame({basp_operation::routed_message, 0, 0, request, 5, peer.door()},
                         node(stranger) + node(peer.service()) + list_content());
          }),
    after("a monitor of another node's", fate::ends,
          [](const raw_peer& peer) { return monitor(stranger, peer.service(), peer.door()); }),
    after("a monitor for another node", fate::ends,
          [](const raw_peer& peer) { return monitor(attacker, stranger, peer.door()); }),
    after("a monitor without a payload", fate::ends,
          [](const raw_peer& peer) {
            return header({basp_operation::monitor_message, 0, 0, 0, 0, peer.door()});
          }),
    after("a death of another node's", fate::ends,
          [](const raw_peer& peer) {
            return down(stranger, peer.service(), 5, error(number(0, 2) + text("@<>")));
          }),
    after("a death for another node", fate::ends,
          [](const raw_peer&) {
            return down(attacker, stranger, 5, error(number(0, 2) + text("@<>")));
          }),
    after("a death whose reason is none", fate::ends,
          [](const raw_peer& peer) {
            return down(attacker, peer.service(), 5, std::string(20, '\xaa'));
          }),
    after("a death whose reason is messages in messages", fate::ends,
          [](const raw_peer& peer) {
            return down(attacker, peer.service(), 99, error(nested(20000)));
          }),
    after("a second node id", fate::ends, [](const raw_peer&) { return handshake(own_node(10)); }),
    after("a sign of life with a payload", fate::ends,
          [](const raw_peer&) { return frame({}, "x"); }),
  };
}

std::vector<attack> wrong_names() {
  return {
    {"the node id of process 1",
     [](const attack_target& target) -> std::string {
       auto init = attacker;
       init.pid = 1;
       raw_peer peer{target.connect()};
       return peer.greet(init) != target.binds_process_ids ? "" : "its node id was taken";
     }},
    {"the service's own node id",
     [](const attack_target& target) -> std::string {
       raw_peer scout{target.connect()};
       if (!scout.greet(own_node(11)))
         return "no handshake";
       raw_peer peer{target.connect()};
       return peer.greet(scout.service()) ? "its node id was taken" : "";
     }},
    {"a node id that is in use",
     [](const attack_target& target) -> std::string {
       raw_peer victim{target.connect()};
       if (!victim.greet(own_node(12)))
         return "no handshake";
       raw_peer thief{target.connect()};
       thief.send(handshake(own_node(12)) + handshake(own_node(12), 2));
       if (!thief.ends())
         return "the thief's connection did not end";
       return victim.served() ? "" : "the victim is not served";
     }},
  };
}

std::vector<attack> harmless() {
  return {
    after("what CAF asks a spawn server", fate::served,
          [](const raw_peer&) {
            return message(static_cast<std::uint64_t>(caf::atom("SpawnServ")),
                           content("@<>+@atom+@atom+@str",
                                   atom(caf::atom("sys")) + atom(caf::atom("get")) + text("info")),
                           unasked, 77, 1);
          }),
    after("the handshake once more", fate::served,
          [](const raw_peer&) { return handshake(attacker) + handshake(attacker, 2); }),
    after("a sign of life", fate::served, [](const raw_peer&) { return header({}); }),
    after("a monitor of an actor that there is not", fate::served,
          [](const raw_peer& peer) { return monitor(attacker, peer.service(), 123456); }),
    after("a death of an actor that nobody knows", fate::served,
          [](const raw_peer& peer) {
            return down(attacker, peer.service(), 99, error(number(0, 2) + text("@<>")));
          }),
  };
}

} // namespace

std::vector<attack> small_attacks() {
  std::vector<attack> all;
  for (auto part : {before_the_handshake, bad_contents, wrong_receivers, wrong_names, harmless})
    for (auto& one : part())
      all.push_back(std::move(one));
  return all;
}

} // namespace crosvisor::tests
