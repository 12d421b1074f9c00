// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/payload_config.hpp"

#include "crosvisor/messages/vm_config.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.payload.payload_config

using namespace crosvisor;
using namespace crosvisor::io;

namespace {

std::string problem(std::string_view text) {
  auto config = parse_payload_config(text, "assets/c.json");
  return config ? "" : config.why().what;
}

payload_config parse(std::string_view text) {
  auto config = parse_payload_config(text, "assets/c.json");
  if (!config)
    CAF_FAIL(config.why().what);
  return *config;
}

// `count` times `item`, with commas.
std::string items(std::size_t count, const std::string& item) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += (i > 0 ? "," : "") + item;
  return '[' + text + ']';
}

} // namespace

CAF_TEST(a configuration of 2021 is read) {
  auto config = parse(R"({
    "version": 1,
    "os": {"name": "microdroid"},
    "task": {"type": "microdroid_launcher", "command": "Hello.so", "args": ["hello", "world"]},
    "apexes": [{"name": "com.android.adbd"}, {"name": "com.android.adbd"}]})");
  CAF_CHECK_EQUAL(config.os_name, "microdroid");
  CAF_REQUIRE(config.task.has_value());
  CAF_CHECK(config.task->kind == task_kind::microdroid_launcher);
  CAF_CHECK_EQUAL(config.task->command, "Hello.so");
  CAF_CHECK_EQUAL(config.task->args, (std::vector<std::string>{"hello", "world"}));
  CAF_CHECK_EQUAL(config.apexes.size(), std::size_t{2});
}

CAF_TEST(a later configuration is read) {
  auto config = parse(R"({
    "task": {"type": "executable", "command": "/mnt/apk/bin/server"},
    "extra_apks": [{"path": "/a/b.apk"}, {"path": "c.apk"}],
    "prefer_staged": true, "export_tombstones": false, "enable_authfs": true,
    "hugepages": true})");
  CAF_CHECK_EQUAL(config.os_name, "");
  CAF_CHECK(config.task->kind == task_kind::executable);
  CAF_CHECK_EQUAL(config.extra_apks, (std::vector<std::string>{"/a/b.apk", "c.apk"}));
  CAF_CHECK_EQUAL(config.prefer_staged, true);
  CAF_CHECK(config.export_tombstones == std::optional<bool>{false});
  CAF_CHECK_EQUAL(config.enable_authfs, true);
  CAF_CHECK_EQUAL(config.hugepages, true);
}

CAF_TEST(what is left out has its default) {
  auto config = parse("{}");
  CAF_CHECK_EQUAL(config.os_name, "");
  CAF_CHECK(!config.task);
  CAF_CHECK(!config.export_tombstones);
  CAF_CHECK(config.apexes.empty() && config.extra_apks.empty());
  CAF_CHECK(!config.prefer_staged && !config.enable_authfs && !config.hugepages);
  CAF_CHECK(parse(R"({"task": {"command": "x"}})").task->kind == task_kind::executable);
  auto nulls = parse(R"({"task": null, "export_tombstones": null, "os": {"name": ""}})");
  CAF_CHECK(!nulls.task && !nulls.export_tombstones);
}

CAF_TEST(keys that nobody knows are ignored wherever they stand) {
  auto config = parse(R"({"new": [1, {}], "os": {"name": "x", "new": 1},
    "task": {"command": "c", "new": null}, "apexes": [{"name": "a", "new": 2}],
    "extra_apks": [{"path": "p", "new": {}}]})");
  CAF_CHECK_EQUAL(config.os_name, "x");
  CAF_CHECK_EQUAL(config.apexes, std::vector<std::string>{"a"});
}

CAF_TEST(a value of the wrong type says where it stands) {
  CAF_CHECK_EQUAL(problem("{\n  \"os\": {\"name\": 3}}"),
                  "assets/c.json:2:18: os.name: expected text, got 3");
  CAF_CHECK_EQUAL(problem(R"({"os": "microdroid"})"),
                  "assets/c.json:1:8: os: expected an object, got \"microdroid\"");
  CAF_CHECK_EQUAL(problem(R"({"task": "run"})"),
                  "assets/c.json:1:10: task: expected an object, got \"run\"");
  CAF_CHECK_EQUAL(problem(R"({"task": {"type": "script", "command": "x"}})"),
                  "assets/c.json:1:19: task.type: expected \"executable\" or "
                  "\"microdroid_launcher\", got \"script\"");
  CAF_CHECK_EQUAL(problem(R"({"task": {"type": "executable"}})"),
                  "assets/c.json:1:10: task.command: missing");
  CAF_CHECK_EQUAL(problem(R"({"task": {"command": ""}})"),
                  "assets/c.json:1:22: task.command: expected text that is not empty, got \"\"");
  CAF_CHECK_EQUAL(problem(R"({"task": {"command": "x", "args": [1]}})"),
                  "assets/c.json:1:36: task.args[0]: expected text, got 1");
  CAF_CHECK_EQUAL(problem(R"({"apexes": [{}]})"), "assets/c.json:1:13: apexes[0].name: missing");
  CAF_CHECK_EQUAL(problem(R"({"apexes": ["a"]})"),
                  "assets/c.json:1:13: apexes[0]: expected an object, got \"a\"");
  CAF_CHECK_EQUAL(problem(R"({"extra_apks": [{"path": ""}]})"),
                  "assets/c.json:1:26: extra_apks[0].path: expected text that is not empty, got "
                  "\"\"");
  CAF_CHECK_EQUAL(problem(R"({"extra_apks": {}})"),
                  "assets/c.json:1:16: extra_apks: expected an array, got an object");
  CAF_CHECK_EQUAL(problem(R"({"hugepages": 1})"),
                  "assets/c.json:1:15: hugepages: expected true or false, got 1");
  CAF_CHECK_EQUAL(problem(R"({"apexes": null})"),
                  "assets/c.json:1:12: apexes: expected an array, got null");
}

CAF_TEST(what is no JSON object is refused) {
  CAF_CHECK_EQUAL(problem("[]"), "assets/c.json:1:1: configuration: expected an object, got an "
                                 "array");
  CAF_CHECK_EQUAL(problem("").find("assets/c.json:1:1: malformed JSON"), 0u);
  CAF_CHECK_EQUAL(problem("{\"os\": {},}").find("assets/c.json:1:11: malformed JSON"), 0u);
  CAF_CHECK_EQUAL(problem(R"({"task": null, "task": null})"),
                  "assets/c.json:1:16: key \"task\" is given twice");
  CAF_CHECK_EQUAL(problem(R"({"task": {"command": "a\u0000b"}})"),
                  "assets/c.json:1:22: text holds a NUL character");
}

CAF_TEST(counts and lengths are bounded) {
  auto apexes = [](std::size_t count) {
    return problem("{\"apexes\": " + items(count, R"({"name": "a"})") + "}");
  };
  CAF_CHECK_EQUAL(apexes(max_payload_apexes), "");
  CAF_CHECK_EQUAL(apexes(max_payload_apexes + 1),
                  "assets/c.json:1:12: apexes: 65 given; at most 64 are allowed");
  CAF_CHECK_EQUAL(
    problem("{\"extra_apks\": " + items(max_extra_apks + 1, R"({"path": "a"})") + "}"),
    "assets/c.json:1:16: extra_apks: 33 given; at most 32 are allowed");
  CAF_CHECK_EQUAL(problem(R"({"task": {"command": "c", "args": )" + items(65, "\"a\"") + "}}"),
                  "assets/c.json:1:35: task.args: 65 given; at most 64 are allowed");
  CAF_CHECK_EQUAL(problem(R"({"task": {"command": ")" + std::string(4097, 'x') + "\"}}"),
                  "assets/c.json:1:22: task.command: 4097 bytes; at most 4096 are allowed");
  CAF_CHECK_EQUAL(problem(R"({"os": {"name": ")" + std::string(4097, 'x') + "\"}}"),
                  "assets/c.json:1:17: os.name: 4097 bytes; at most 4096 are allowed");
}
