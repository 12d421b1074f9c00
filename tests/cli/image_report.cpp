// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/image_report.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>

#undef CAF_SUITE
#define CAF_SUITE cli.image_report

using namespace crosvisor;
using namespace crosvisor::cli;

namespace {

constexpr std::int64_t then = 1'795'500'600'000;
constexpr std::int64_t now = then + 180'000;

const std::vector<image_info> some = {
  {"app.apk", "uid 1000", 4'404'019, std::string(64, 'a'), then, true},
  {"state.img", "subject \"CN=bob\"", 10u << 20, "", then, false}};

} // namespace

CAF_TEST(people see columns) {
  CAF_CHECK_EQUAL(image_report(some, output_format::table, now),
                  "NAME       SIZE     STATE   SHA256        OWNER             SINCE\n"
                  "app.apk    4.2 MiB  in use  aaaaaaaaaaaa  uid 1000          3 min\n"
                  "state.img  10 MiB   free    -             subject \"CN=bob\"  3 min\n");
}

CAF_TEST(programs see an object or one a line) {
  CAF_CHECK_EQUAL(
    image_report({some[1]}, output_format::jsonl, now),
    R"({"schema":1,"name":"state.img","size_bytes":10485760,"in_use":false,"sha256":null,"owner":"subject \"CN=bob\"","stored":"2026-11-24T06:10:00.000Z"}
)");
  CAF_CHECK_EQUAL(image_report({}, output_format::json, now),
                  "{\n  \"schema\": 1,\n  \"images\": []\n}\n");
}

CAF_TEST(what comes from a service can do nothing to a terminal) {
  auto text =
    image_report({{"a\x1b[2J", "b\n", 1, "c\x07", then, false}}, output_format::table, now);
  CAF_CHECK(text.find('\x1b') == std::string::npos);
  CAF_CHECK(text.find('\x07') == std::string::npos);
  CAF_CHECK_EQUAL(std::count(text.begin(), text.end(), '\n'), 2);
}
