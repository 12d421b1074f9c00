// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/event_json.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE cli.event_json

using namespace crosvisor;
using namespace crosvisor::cli;

namespace {

vm_event event(vm_event_kind kind) {
  vm_event result;
  result.seq = 7;
  result.time_ms = 1795505400123;
  result.cid = 2048;
  result.name = "demo";
  result.kind = kind;
  return result;
}

vm_event death(exit_kind kind, int value) {
  auto result = event(vm_event_kind::dead);
  result.reason = death_reason::killed;
  result.exit = {kind, value, death_reason::killed, ""};
  return result;
}

} // namespace

CAF_TEST(a death is told with its reason and exit) {
  auto dead = event(vm_event_kind::dead);
  dead.reason = death_reason::shutdown;
  dead.exit = {exit_kind::code, 0, death_reason::shutdown, ""};
  CAF_CHECK_EQUAL(
    event_json(dead),
    R"({"schema":1,"seq":7,"time":"2026-11-24T07:30:00.123Z","cid":2048,"name":"demo",)"
    R"("event":"dead","reason":"shutdown","vmm_exit":{"code":0}})");
}

CAF_TEST(each kind of exit has its form) {
  auto ends = [](const std::string& text, const std::string& end) {
    return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
  };
  CAF_CHECK(ends(event_json(death(exit_kind::signal, 9)), R"("vmm_exit":{"signal":9}})"));
  CAF_CHECK(ends(event_json(death(exit_kind::none, 0)), R"("vmm_exit":null})"));
  CAF_CHECK(ends(event_json(death(exit_kind::vanished, 0)), R"("vmm_exit":{"vanished":true}})"));
}

CAF_TEST(other events have no reason) {
  auto starting = event(vm_event_kind::starting);
  starting.detail = "qemu, tcg, 1 cpu, 128 MiB";
  CAF_CHECK_EQUAL(
    event_json(starting),
    R"({"schema":1,"seq":7,"time":"2026-11-24T07:30:00.123Z","cid":2048,"name":"demo",)"
    R"("event":"starting","detail":"qemu, tcg, 1 cpu, 128 MiB"})");
  CAF_CHECK_EQUAL(
    event_json(event(vm_event_kind::ready)),
    R"({"schema":1,"seq":7,"time":"2026-11-24T07:30:00.123Z","cid":2048,"name":"demo",)"
    R"("event":"ready"})");
}

CAF_TEST(the result of a payload is told with its end and with the death) {
  auto finished = event(vm_event_kind::finished);
  finished.detail = "exit 200";
  finished.payload = {true, true, 200, false, {}};
  CAF_CHECK_EQUAL(
    event_json(finished),
    R"({"schema":1,"seq":7,"time":"2026-11-24T07:30:00.123Z","cid":2048,"name":"demo",)"
    R"("event":"finished","detail":"exit 200","payload_exit_code":200})");
  auto dead = death(exit_kind::code, 0);
  dead.payload = finished.payload;
  CAF_CHECK_EQUAL(
    event_json(dead),
    R"({"schema":1,"seq":7,"time":"2026-11-24T07:30:00.123Z","cid":2048,"name":"demo",)"
    R"("event":"dead","payload_exit_code":200,"reason":"killed","vmm_exit":{"code":0}})");
  auto stopping = event(vm_event_kind::stopping);
  stopping.payload = finished.payload;
  CAF_CHECK(event_json(stopping).find("payload") == std::string::npos);
}

CAF_TEST(an error of the payload has its name) {
  auto failed = event(vm_event_kind::payload_error);
  failed.detail = "no signature";
  failed.payload = {true, false, 0, true, payload_error::payload_verification_failed};
  CAF_CHECK_EQUAL(
    event_json(failed),
    R"({"schema":1,"seq":7,"time":"2026-11-24T07:30:00.123Z","cid":2048,"name":"demo",)"
    R"("event":"payload_error","detail":"no signature",)"
    R"("payload_error":"payload_verification_failed"})");
  auto started = event(vm_event_kind::payload_started);
  started.payload.started = true;
  CAF_CHECK_EQUAL(
    event_json(started),
    R"({"schema":1,"seq":7,"time":"2026-11-24T07:30:00.123Z","cid":2048,"name":"demo",)"
    R"("event":"payload_started"})");
}

CAF_TEST(what a guest says breaks no line) {
  auto stopping = event(vm_event_kind::stopping);
  stopping.detail = "a\n\"b\" \xff";
  CAF_CHECK_EQUAL(
    event_json(stopping),
    R"({"schema":1,"seq":7,"time":"2026-11-24T07:30:00.123Z","cid":2048,"name":"demo",)"
    R"("event":"stopping","detail":"a\n\"b\" )"
    "\xef\xbf\xbd\"}");
}

CAF_TEST(times are in UTC with milliseconds) {
  CAF_CHECK_EQUAL(rfc3339(0), "1970-01-01T00:00:00.000Z");
  CAF_CHECK_EQUAL(rfc3339(951782400007), "2000-02-29T00:00:00.007Z");
}
