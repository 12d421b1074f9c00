// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/basp_guard.hpp"
#include "crosvisor/tests/service/transport/basp_bytes.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE service.transport.client_guard

using namespace crosvisor;
using namespace crosvisor::tests::basp;
using namespace crosvisor::transport;

namespace {

const node_key service = own_node(1);
const node_key client = own_node(2);
constexpr std::uint64_t answered = 0x9000000000000003;

std::shared_ptr<const client_guard::terms> make_terms() {
  auto terms = std::make_shared<client_guard::terms>();
  terms->own = client;
  add_outputs<door_actor>(terms->answers);
  terms->answers.add<caf::error>();
  add_inputs<progress_actor>(terms->telegrams);
  terms->message_bytes = 1u << 20;
  return terms;
}

std::string server_handshake(const node_key& from, const std::string& applications) {
  return frame({basp_operation::server_handshake, 0, 0, 3, 0, 0},
               node(from) + applications + number(6, 8) + size_of(1) + text("an interface"));
}

const std::string applications = size_of(1) + text("generic-caf-app");
const std::string progress = content("@<>+crosvisor::job_progress", number(1, 8) + number(2, 8));

struct fixture {
  client_guard guard{make_terms()};

  std::string say(const std::string& frame) {
    auto word = guard.header(frame.substr(0, basp_header_bytes));
    if (word != verdict::close && guard.awaited() > 0)
      word = guard.payload(frame.substr(basp_header_bytes));
    if (word == verdict::close)
      return guard.why();
    return word == verdict::pass ? "pass" : "skip";
  }

  void greet() { CAF_REQUIRE_EQUAL(say(server_handshake(service, applications)), "pass"); }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(client_guard_tests, fixture)

CAF_TEST(a service shakes hands once) {
  CAF_CHECK_EQUAL(say(message(5, progress)), "a message before the handshake");
  CAF_CHECK_EQUAL(say(server_handshake(client, applications)), "a handshake that is none");
  CAF_CHECK_EQUAL(say(server_handshake(service, size_of(0xfffffff))), "a handshake that is none");
  CAF_CHECK_EQUAL(say(server_handshake(service, size_of(1) + text(std::string(100000, 'x')))),
                  "a handshake that is none");
  greet();
  CAF_CHECK(guard.peer() == service);
  CAF_CHECK_EQUAL(say(server_handshake(service, applications)), "a handshake that is none");
}

CAF_TEST(a service may refuse) {
  CAF_CHECK(!guard.refused());
  CAF_CHECK_EQUAL(say(frame({basp_operation::refusal, 0, 0, 0, 0, 0}, "why")),
                  "a refusal that is none");
  CAF_CHECK(!guard.refused());
  CAF_CHECK_EQUAL(say(bare_basp_header(basp_operation::refusal)), "a refusal");
  CAF_CHECK(guard.refused());
}

CAF_TEST(answers and telegrams each have their shapes) {
  greet();
  auto listed = content("@<>+" + wire_name<std::vector<vm_info>>(), size_of(0));
  CAF_CHECK_EQUAL(say(message(5, listed, answered)), "pass");
  CAF_CHECK_EQUAL(say(message(5, listed, unasked)), "a message that is not the door's");
  CAF_CHECK_EQUAL(say(message(5, progress)), "pass");
  CAF_CHECK_EQUAL(say(message(5, progress, answered)), "a message that is not the door's");
  CAF_CHECK_EQUAL(say(message(5, progress, request)), "pass");
  auto words = error(number(0, 2) + text("@<>+@str") + text("why"));
  CAF_CHECK_EQUAL(say(message(5, content("@<>+@error", words), answered)), "pass");
  CAF_CHECK_EQUAL(say(message(5, content("@<>+@error", error(nested(9))), answered)),
                  "a message that is not the door's");
  CAF_CHECK_EQUAL(say(message(5, exit_content(service))), "a message that is not the door's");
}

CAF_TEST(no names and no other kinds) {
  greet();
  CAF_CHECK_EQUAL(say(message(static_cast<std::uint64_t>(caf::atom("ConfigServ")), progress,
                              unasked, 1, basp_header::named_receiver)),
                  "a message that nobody awaits");
  CAF_CHECK_EQUAL(say(message(0, progress)), "a message that nobody awaits");
  CAF_CHECK_EQUAL(say(message(5, progress, 0x2000000000000001)), "a message that nobody awaits");
  CAF_CHECK_EQUAL(say(handshake(service)), "an operation that is not a service's");
  CAF_CHECK_EQUAL(say(frame({basp_operation::routed_message, 0, 0, request, 5, 5}, "x")),
                  "an operation that is not a service's");
}

CAF_TEST(monitors and deaths are between the two) {
  greet();
  auto no_reason = error(number(0, 2) + text("@<>"));
  CAF_CHECK_EQUAL(say(monitor(service, client, 5)), "pass");
  CAF_CHECK_EQUAL(say(monitor(own_node(7), client, 5)), "a message of or for another node");
  CAF_CHECK_EQUAL(say(monitor(service, own_node(7), 5)), "a message of or for another node");
  CAF_CHECK_EQUAL(say(monitor(service, client, 5) + ""), "pass");
  CAF_CHECK_EQUAL(say(down(service, client, 6, no_reason)), "pass");
  CAF_CHECK_EQUAL(say(down(service, client, 6, error(nested(3)))),
                  "a down message with a bad reason");
  CAF_CHECK_EQUAL(say(header({})), "skip");
}

CAF_TEST_FIXTURE_SCOPE_END()
