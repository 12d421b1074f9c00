// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/qmp_message.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.qmp_message

using namespace crosvisor::io;
using nlohmann::json;

namespace {

template <class T>
bool is(const std::string& line) {
  return std::holds_alternative<T>(parse_qmp(line));
}

template <class T>
T get(const std::string& line) {
  auto message = parse_qmp(line);
  CAF_REQUIRE(std::holds_alternative<T>(message));
  return std::get<T>(message);
}

} // namespace

CAF_TEST(a stream is cut into lines wherever it is cut into pieces) {
  line_framer framer{16};
  framer.append("{\"a\"");
  CAF_CHECK(!framer.next());
  CAF_CHECK_EQUAL(framer.rest(), "{\"a\"");
  framer.append(": 1}\r\n{}\n{");
  CAF_CHECK_EQUAL(framer.next().value_or("-"), "{\"a\": 1}");
  CAF_CHECK_EQUAL(framer.next().value_or("-"), "{}");
  CAF_CHECK(!framer.next());
  CAF_CHECK(!framer.overflowed());
}

CAF_TEST(a line is bounded with and without its end) {
  line_framer whole{4};
  whole.append("1234\n12345\n");
  CAF_CHECK_EQUAL(whole.next().value_or("-"), "1234");
  CAF_CHECK(!whole.next());
  CAF_CHECK(whole.overflowed());
  line_framer open{4};
  open.append("1234");
  CAF_CHECK(!open.overflowed());
  open.append("5");
  CAF_CHECK(open.overflowed());
}

CAF_TEST(each kind of message is told from the others) {
  CAF_CHECK(is<qmp_greeting>(R"({"QMP": {"version": {}, "capabilities": ["oob"]}})"));
  auto answer = get<qmp_answer>(R"({"return": {"status": "running"}, "id": 7})");
  CAF_CHECK_EQUAL(answer.id, 7u);
  CAF_CHECK(answer.ok);
  CAF_CHECK_EQUAL(string_at(answer.value, "status"), "running");
  auto error = get<qmp_answer>(R"({"id": 8, "error": {"class": "GenericError", "desc": "no"}})");
  CAF_CHECK_EQUAL(error.id, 8u);
  CAF_CHECK(!error.ok);
  CAF_CHECK_EQUAL(error.error, "no");
  auto event = get<qmp_event>(
    R"({"timestamp": {"seconds": 1}, "event": "SHUTDOWN", "data": {"reason": "guest-reset"}})");
  CAF_CHECK_EQUAL(event.name, "SHUTDOWN");
  CAF_CHECK_EQUAL(string_at(event.data, "reason"), "guest-reset");
  CAF_CHECK(get<qmp_event>(R"({"event": "STOP"})").data.is_object());
}

CAF_TEST(fields of an unexpected type are as good as missing) {
  CAF_CHECK_EQUAL(get<qmp_answer>(R"({"return": 1, "id": "x"})").id, 0u);
  CAF_CHECK_EQUAL(get<qmp_answer>(R"({"return": 1, "id": -1})").id, 0u);
  CAF_CHECK_EQUAL(get<qmp_answer>(R"({"error": "no"})").error, "");
  CAF_CHECK(get<qmp_event>(R"({"event": 5, "data": []})").data.is_object());
  CAF_CHECK_EQUAL(string_at(json::array(), "x"), "");
  CAF_CHECK(!number_at(json{{"x", "1"}}, "x"));
}

CAF_TEST(what is no QMP is nonsense) {
  for (const auto* line : {"", "SSH-2.0", "[]", "5", "{}", R"({"QMP")", "{\"a\": 1}", "\xff\xfe"})
    CAF_CHECK(is<qmp_nonsense>(line));
}

CAF_TEST(a request is one line) {
  CAF_CHECK_EQUAL(qmp_request(3, "quit", nullptr), "{\"execute\":\"quit\",\"id\":3}\n");
  CAF_CHECK_EQUAL(qmp_request(4, "balloon", {{"value", 1024}}),
                  "{\"arguments\":{\"value\":1024},\"execute\":\"balloon\",\"id\":4}\n");
}
