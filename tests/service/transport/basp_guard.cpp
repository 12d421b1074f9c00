// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/basp_guard.hpp"

#include "crosvisor/tests/service/transport/basp_bytes.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE service.transport.basp_guard

using namespace crosvisor;
using namespace crosvisor::tests::basp;
using namespace crosvisor::transport;

namespace {

const node_key service = own_node(1);
const node_key client = own_node(2);
constexpr std::uint64_t door = 6;

std::shared_ptr<const service_guard::terms> make_terms() {
  auto terms = std::make_shared<service_guard::terms>();
  terms->own = service;
  terms->door = door;
  add_inputs<door_actor>(terms->shapes);
  terms->message_bytes = 1000;
  return terms;
}

caller user(std::uint32_t uid) {
  caller who;
  who.kind = caller_kind::socket;
  who.uid = uid;
  return who;
}

struct fixture {
  std::shared_ptr<node_table> nodes = std::make_shared<node_table>();
  std::shared_ptr<service_guard> guard = make(1000);

  std::shared_ptr<service_guard> make(std::uint32_t uid, std::vector<std::uint32_t> pids = {}) {
    auto made = std::make_shared<service_guard>(make_terms(), nodes);
    made->identify(user(uid), std::move(pids));
    return made;
  }

  /// `pass`, `skip`, or why it closed.
  static std::string judge(basp_guard& by, const std::string& frame) {
    auto word = by.header(frame.substr(0, basp_header_bytes));
    auto skipped = word == verdict::skip;
    if (word != verdict::close && by.awaited() > 0) {
      word = by.payload(frame.substr(basp_header_bytes));
      CAF_CHECK(!skipped || word != verdict::pass);
    }
    if (word == verdict::close)
      return by.why();
    return word == verdict::pass ? "pass" : "skip";
  }

  std::string say(const std::string& frame) { return judge(*guard, frame); }

  std::string ask(const std::string& content, std::uint64_t id = request) {
    return say(message(door, content, id));
  }

  void greet() { CAF_REQUIRE_EQUAL(say(handshake(client)), "pass"); }
};

const std::string no_reason = error(number(0, 2) + text("@<>"));

} // namespace

CAF_TEST_FIXTURE_SCOPE(basp_guard_tests, fixture)

CAF_TEST(nobody says anything) {
  service_guard of_nobody{make_terms(), nodes};
  CAF_CHECK_EQUAL(judge(of_nobody, handshake(client)), "a message of nobody");
  CAF_CHECK_EQUAL(nodes->size(), std::size_t{0});
}

CAF_TEST(one handshake binds a node) {
  CAF_CHECK(!guard->greeted());
  greet();
  CAF_CHECK(guard->greeted());
  auto found = nodes->find(client);
  CAF_REQUIRE(found);
  auto uid = found->uid;
  CAF_CHECK_EQUAL(uid, 1000u);
  CAF_CHECK_EQUAL(say(handshake(client)), "skip");
  CAF_CHECK_EQUAL(say(handshake(client, basp_header::select_connection)), "skip");
  CAF_CHECK_EQUAL(say(handshake(own_node(3))), "a second node id");
  CAF_CHECK_EQUAL(nodes->size(), std::size_t{1});
}

CAF_TEST(a node that caf never heard of is free with its guard) {
  greet();
  guard = nullptr;
  CAF_CHECK_EQUAL(nodes->size(), std::size_t{0});
  guard = make(1000);
  greet();
  guard->hand_over();
  guard = nullptr;
  CAF_CHECK_EQUAL(nodes->size(), std::size_t{1});
}

CAF_TEST(a handshake names a node that the client may have) {
  CAF_CHECK_EQUAL(say(handshake(service)), "the service's own node id");
  auto none = client;
  none.pid = 0;
  CAF_CHECK_EQUAL(say(handshake(none)), "a handshake without a node id");
  CAF_CHECK_EQUAL(say(frame({basp_operation::client_handshake, 0, 0, 0, 0, 0}, "x")),
                  "a handshake that is none");
  CAF_CHECK_EQUAL(say(frame({basp_operation::client_handshake, 0, 0, 0, 1, 0}, node(client))),
                  "a handshake that is none");
  auto bound = make(1000, {4711, 2});
  CAF_CHECK_EQUAL(judge(*bound, handshake(client)), "the node id of another process");
  auto inner = client;
  inner.pid = 2;
  CAF_CHECK_EQUAL(judge(*bound, handshake(inner)), "pass");
}

CAF_TEST(a node is bound once and not to another soon after) {
  greet();
  auto thief = make(1001);
  CAF_CHECK_EQUAL(judge(*thief, handshake(client)), "a node id that is in use");
  guard = nullptr;
  CAF_CHECK_EQUAL(judge(*thief, handshake(client)), "a node id that was another's lately");
  guard = make(1000);
  CAF_CHECK_EQUAL(say(handshake(client)), "pass");
}

CAF_TEST(nothing comes before the handshake) {
  CAF_CHECK_EQUAL(ask(list_content()), "a message before the handshake");
  CAF_CHECK_EQUAL(say(monitor(client, service, door)), "a message before the handshake");
  CAF_CHECK_EQUAL(say(down(client, service, 1, no_reason)), "a message before the handshake");
  CAF_CHECK_EQUAL(say(header({})), "skip");
}

CAF_TEST(headers have their bounds) {
  greet();
  CAF_CHECK_EQUAL(guard->header(std::string(31, '\0')) == verdict::close, true);
  CAF_CHECK_EQUAL(ask(std::string(1001, 'x')), "a message that is too big");
  CAF_CHECK_EQUAL(say(header({basp_operation::direct_message, 0, 0, request, 1, door})),
                  "a message without a payload");
  CAF_CHECK_EQUAL(say(frame({}, "x")), "a sign of life with a payload");
  auto padded = handshake(client);
  padded[1] = '\1';
  CAF_CHECK_EQUAL(say(padded), "a header that is none");
  CAF_CHECK_EQUAL(say(frame({basp_operation::direct_message, 4, 0, request, 1, door}, "x")),
                  "a header that is none");
}

CAF_TEST(messages go to the door alone and from somebody) {
  greet();
  CAF_CHECK_EQUAL(ask(list_content()), "pass");
  CAF_CHECK_EQUAL(ask(list_content(), unasked), "pass");
  CAF_CHECK_EQUAL(say(message(door + 1, list_content())),
                  "a message to somebody else than the door");
  CAF_CHECK_EQUAL(say(message(door, list_content(), request, 77, basp_header::named_receiver)),
                  "a message to somebody else than the door");
  CAF_CHECK_EQUAL(say(message(door, list_content(), request, 0)), "a message without a sender");
  for (std::uint64_t kind = 0; kind < 16; ++kind)
    if (kind != 1)
      CAF_CHECK_EQUAL(ask(list_content(), kind << 60 | 3), "a message of another kind");
}

CAF_TEST(every message of the doors interface passes) {
  greet();
  auto name = text("demo");
  auto cid = number(2048, 4);
  auto verb = [](std::string_view word) { return atom(caf::atom_from_string(std::string{word})); };
  CAF_CHECK_EQUAL(ask(content("@<>+@atom+@str", verb("get") + name)), "pass");
  CAF_CHECK_EQUAL(ask(content("@<>+@atom+@atom+@u32", verb("get") + verb("state") + cid)), "pass");
  CAF_CHECK_EQUAL(ask(content("@<>+@atom+@atom", verb("get") + verb("host"))), "pass");
  for (auto word : {"start", "kill", "suspend", "resume", "subscribe", "attach", "detach", "hold",
                    "drop", "pass"})
    CAF_CHECK_EQUAL(ask(content("@<>+@atom+@u32", verb(word) + cid)), "pass");
  CAF_CHECK_EQUAL(ask(content("@<>+@atom+@u32", atom(caf::unsubscribe_atom::value) + cid)), "pass");
  CAF_CHECK_EQUAL(ask(content("@<>+@atom+@u32+@timespan", verb("stop") + cid + number(1, 8))),
                  "pass");
  CAF_CHECK_EQUAL(ask(content("@<>+@atom+@u64", verb("watch") + number(1, 8))), "pass");
  CAF_CHECK_EQUAL(ask(content("@<>+@atom+@u32+@u64", verb("subscribe") + cid + number(1, 8))),
                  "pass");
  CAF_CHECK_EQUAL(ask(content("@<>+@atom", atom(caf::unsubscribe_atom::value))), "pass");
  CAF_CHECK_EQUAL(ask(content("@<>+@atom+crosvisor::partition_spec+crosvisor::ticket_list",
                              verb("create") + number(0, 1) + number(4096, 8) + text("a.img")
                                + number(0, 4) + size_of(1) + text("ticket"))),
                  "pass");
}

CAF_TEST(messages that are not the doors are refused) {
  greet();
  const std::string refused = "a message that the door does not know";
  CAF_CHECK_EQUAL(ask(content("@<>", "")), refused);
  CAF_CHECK_EQUAL(ask(list_content() + "x"), refused);
  CAF_CHECK_EQUAL(ask(content("@<>+@atom", atom(caf::atom("link")))), refused);
  CAF_CHECK_EQUAL(ask(content("@<>+@atom", number(0, 7))), refused);
  CAF_CHECK_EQUAL(ask(content("@<>+@atom+", atom(caf::atom("list")))), refused);
  CAF_CHECK_EQUAL(ask(exit_content(client)), refused);
  CAF_CHECK_EQUAL(ask(content("@<>+@message", nested(10))), refused);
  CAF_CHECK_EQUAL(ask(content("@<>+@charbuf", size_of(0xfffffff0))), refused);
  CAF_CHECK_EQUAL(ask(content("@<>+@atom+@str", atom(caf::atom("get")) + size_of(0xfffffff0))),
                  refused);
  CAF_CHECK_EQUAL(ask(size_of(1) + list_content()),
                  "a message that is none, or is to be passed on");
  CAF_CHECK_EQUAL(ask("x"), "a message that is none, or is to be passed on");
}

CAF_TEST(what caf asks a spawn server is skipped) {
  greet();
  auto spawn_server = static_cast<std::uint64_t>(caf::atom("SpawnServ"));
  auto asks = [&](const std::string& what) {
    return say(message(spawn_server, what, unasked, 77, basp_header::named_receiver));
  };
  CAF_CHECK_EQUAL(asks(content("@<>+@atom+@atom+@str", "anything")), "skip");
  CAF_CHECK_EQUAL(asks(exit_content(client)), "a bad spawn server message");
}

CAF_TEST(monitors and deaths are between the two) {
  greet();
  auto other = own_node(9);
  CAF_CHECK_EQUAL(say(monitor(client, service, door)), "pass");
  CAF_CHECK_EQUAL(say(monitor(client, service, door + 1)), "skip");
  for (const auto& frame : {monitor(other, service, door), monitor(client, other, door),
                            monitor(client, service, door) + "x"})
    CAF_CHECK(say(frame) != "pass");
  CAF_CHECK_EQUAL(say(down(client, service, 5, no_reason)), "pass");
  CAF_CHECK_EQUAL(say(down(client, service, 5, error(number(0, 2) + text("@<>+@str") + text("w")))),
                  "pass");
  CAF_CHECK_EQUAL(say(down(client, service, 5, error(nested(1)))),
                  "a down message with a bad reason");
  CAF_CHECK_EQUAL(say(down(client, service, 5, no_reason + "x")),
                  "a down message with a bad reason");
  CAF_CHECK_EQUAL(say(down(other, service, 5, no_reason)), "a down message of or for another node");
  CAF_CHECK_EQUAL(say(down(client, service, 0, no_reason)), "a bad down message");
}

CAF_TEST(a client has so many actors at a time) {
  greet();
  for (std::uint64_t i = 1; i <= max_client_actors; ++i)
    if (say(message(door, list_content(), request, i)) != "pass")
      CAF_FAIL("actor " << i);
  CAF_CHECK_EQUAL(say(message(door, list_content(), request, 9999)), "messages of too many actors");
  CAF_CHECK_EQUAL(say(message(door, list_content(), request, 1)), "pass");
  CAF_CHECK_EQUAL(say(down(client, service, 2, no_reason)), "pass");
  CAF_CHECK_EQUAL(say(message(door, list_content(), request, 9999)), "pass");
}

CAF_TEST(nothing else is a clients) {
  greet();
  CAF_CHECK_EQUAL(say(frame({basp_operation::server_handshake, 0, 0, 3, 0, 0}, "x")),
                  "an operation that is not a client's");
  CAF_CHECK_EQUAL(say(frame({basp_operation::routed_message, 0, 0, request, 5, door}, "x")),
                  "an operation that is not a client's");
}

CAF_TEST_FIXTURE_SCOPE_END()
