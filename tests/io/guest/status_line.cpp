// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/status_line.hpp"

#include <caf/test/dsl.hpp>

#include <string>

#undef CAF_SUITE
#define CAF_SUITE io.guest.status_line

using namespace crosvisor;
using namespace crosvisor::io;

namespace {

payload_status read(const std::string& line) {
  auto status = parse_status_line(line);
  if (!status)
    CAF_FAIL(line << ": " << status.why().what);
  return *status;
}

std::string problem(const std::string& line) {
  auto status = parse_status_line(line);
  return status ? "" : status.why().what;
}

} // namespace

CAF_TEST(each status is read) {
  CAF_CHECK(read(R"({"status":"started"})").kind == payload_status_kind::started);
  CAF_CHECK(read(R"( {"status" : "ready"} )").kind == payload_status_kind::ready);
  auto finished = read(R"({"status":"finished","exit_code":-7})");
  CAF_CHECK(finished.kind == payload_status_kind::finished);
  CAF_CHECK_EQUAL(finished.exit_code, -7);
  auto error = read(R"({"status":"error","code":2,"message":"it \u0007 changed"})");
  CAF_CHECK(error.kind == payload_status_kind::error);
  CAF_CHECK(error.error == payload_error::payload_changed);
  CAF_CHECK_EQUAL(error.message, "it \\x07 changed");
}

CAF_TEST(keys of later versions are passed over) {
  CAF_CHECK(read(R"({"status":"ready","since":{"deep":[1,2]}})").kind
            == payload_status_kind::ready);
}

CAF_TEST(what is wrong is said) {
  CAF_CHECK_EQUAL(problem(""), "status line: no JSON object");
  CAF_CHECK_EQUAL(problem("started"), "status line: no JSON object");
  CAF_CHECK_EQUAL(problem("[]"), "status line: no JSON object");
  CAF_CHECK_EQUAL(problem(R"({"status":"started"} x)"), "status line: no JSON object");
  for (const auto* line : {"{}", R"({"status":1})", R"({"status":"Started"})"})
    CAF_CHECK_EQUAL(problem(line),
                    "status line: status is none of started, ready, finished, error");
  for (const auto* line : {R"({"status":"finished"})", R"({"status":"finished","exit_code":"0"})",
                           R"({"status":"finished","exit_code":1.5})",
                           R"({"status":"finished","exit_code":4294967296})",
                           R"({"status":"finished","exit_code":18446744073709551615})"})
    CAF_CHECK_EQUAL(problem(line),
                    "status line: finished needs exit_code, a whole number of 32 bits");
  for (const auto* line : {R"({"status":"error"})", R"({"status":"error","code":4})",
                           R"({"status":"error","code":-1})"})
    CAF_CHECK_EQUAL(problem(line), "status line: error needs code, 0 to 3");
  CAF_CHECK_EQUAL(problem(R"({"status":"error","code":0,"message":7})"),
                  "status line: message is no string");
}

CAF_TEST(a line that is too long or too deep is refused) {
  CAF_CHECK_EQUAL(problem(std::string(max_status_line_bytes + 1, ' ')),
                  "status line: longer than 4096 bytes");
  CAF_CHECK_EQUAL(problem(std::string(max_status_line_bytes, '[')), "status line: no JSON object");
  auto message = R"({"status":"error","code":0,"message":")" + std::string(3000, 'm') + "\"}";
  CAF_CHECK_LESS_OR_EQUAL(read(message).message.size(), max_status_message_bytes + 3);
}
