// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/arguments.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE cli.service_arguments

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

template <class Arguments>
Arguments parsed(const words& arguments) {
  auto line = parse_arguments(arguments);
  if (const auto* wrong = std::get_if<usage_error>(&line))
    CAF_FAIL(wrong->what);
  return std::get<Arguments>(line);
}

std::string problem(const words& arguments) {
  auto line = parse_arguments(arguments);
  const auto* wrong = std::get_if<usage_error>(&line);
  return wrong == nullptr ? "" : wrong->what;
}

const words all_commands{"run",          "run-app",
                         "list",         "start",
                         "stop",         "suspend",
                         "resume",       "balloon",
                         "watch",        "console",
                         "logs",         "connect",
                         "hold",         "drop",
                         "pass",         "take",
                         "drain",        "create-partition",
                         "create-idsig", "create-composite",
                         "inspect",      "info"};

} // namespace

CAF_TEST(each verb has its VM) {
  for (auto [name, verb] : {std::pair{"start", vm_verb::start},
                            {"suspend", vm_verb::suspend},
                            {"resume", vm_verb::resume},
                            {"hold", vm_verb::hold},
                            {"drop", vm_verb::drop}}) {
    auto read = parsed<verb_arguments>({name, "demo", "--connect", "unix:/run/d.sock"});
    CAF_CHECK(read.verb == verb);
    CAF_CHECK_EQUAL(read.vm, "demo");
    CAF_CHECK_EQUAL(read.connect.where, "unix:/run/d.sock");
    CAF_CHECK_EQUAL(problem({name}),
                    std::string{"VM is required; see `crosvisor "} + name + " --help`");
  }
}

CAF_TEST(a VM is a CID or a name) {
  CAF_CHECK(parsed<verb_arguments>({"start", "2048"}).vm == "2048");
  CAF_CHECK(parsed<verb_arguments>({"start", "a.b-c_1"}).vm == "a.b-c_1");
  for (const auto* wrong : {"0", "4294967296", "20x", "", "a b", "a/b"})
    CAF_CHECK(problem({"start", wrong}).find("is neither a CID nor a name") != std::string::npos);
}

CAF_TEST(a stop has a time or force) {
  auto plain = parsed<stop_arguments>({"stop", "demo"});
  CAF_CHECK(!plain.timeout && !plain.force);
  CAF_CHECK(parsed<stop_arguments>({"stop", "demo", "--timeout", "2.5"}).timeout == 2500ms);
  CAF_CHECK(parsed<stop_arguments>({"stop", "demo", "--timeout", "0"}).timeout == 0ms);
  CAF_CHECK(parsed<stop_arguments>({"stop", "demo", "--force"}).force);
  CAF_CHECK(problem({"stop", "demo", "--force", "--timeout", "1"}).find("excludes")
            != std::string::npos);
  CAF_CHECK_EQUAL(problem({"stop", "demo", "--timeout", "3601"}),
                  "--timeout: \"3601\" is no time; allowed is 0 to 3600 seconds; see `crosvisor "
                  "stop --help`");
}

CAF_TEST(data is printed in three formats) {
  CAF_CHECK(parsed<list_arguments>({"list"}).output == output_format::table);
  CAF_CHECK(parsed<list_arguments>({"list", "-o", "json"}).output == output_format::json);
  CAF_CHECK(parsed<list_arguments>({"list", "-o", "jsonl"}).output == output_format::jsonl);
  CAF_CHECK(parsed<info_arguments>({"info", "-o", "jsonl"}).output == output_format::jsonl);
  CAF_CHECK(parsed<inspect_arguments>({"inspect", "f", "-o", "jsonl"}).output
            == output_format::jsonl);
  CAF_CHECK(problem({"list", "-o", "yaml"}).find("is not one of table, json, jsonl")
            != std::string::npos);
}

CAF_TEST(events are watched of all or of one) {
  auto all = parsed<watch_arguments>({"watch"});
  CAF_CHECK(all.vm.empty() && !all.history && all.output == output_format::table);
  auto one = parsed<watch_arguments>({"watch", "demo", "--history", "-o", "jsonl"});
  CAF_CHECK(one.vm == "demo" && one.history && one.output == output_format::jsonl);
  CAF_CHECK(problem({"watch", "-o", "json"}).find("is not one of table, jsonl")
            != std::string::npos);
}

CAF_TEST(info is about the host or a VM) {
  CAF_CHECK(parsed<info_arguments>({"info"}).vm.empty());
  CAF_CHECK(parsed<info_arguments>({"info", "2048"}).vm == "2048");
  auto limits = parsed<info_arguments>({"info", "--limits", "-o", "json"});
  CAF_CHECK(limits.limits && limits.output == output_format::json);
  CAF_CHECK(problem({"info", "2048", "--limits"}).find("excludes") != std::string::npos);
}

CAF_TEST(the console is a log without a choice) {
  auto console = parsed<logs_arguments>({"console", "demo", "-f"});
  CAF_CHECK(console.follow && console.log == log_kind::console);
  CAF_CHECK(problem({"console", "demo", "--vmm"}).starts_with("unknown option \"--vmm\""));
  CAF_CHECK(parsed<logs_arguments>({"logs", "demo", "--log"}).log == log_kind::log);
}

CAF_TEST(a connection has a port and a time) {
  auto read = parsed<port_arguments>({"connect", "demo", "5555", "--timeout", "0.5"});
  CAF_CHECK_EQUAL(*read.port, 5555u);
  CAF_CHECK(read.timeout == 500ms);
  CAF_CHECK_EQUAL(problem({"connect", "demo"}), "PORT is required; see `crosvisor connect --help`");
  CAF_CHECK(problem({"connect", "demo", "0"}).find("out of range") != std::string::npos);
  CAF_CHECK(problem({"connect", "demo", "4294967295"}).find("out of range") != std::string::npos);
}

CAF_TEST(a balloon has a size or is shown) {
  CAF_CHECK(!parsed<balloon_arguments>({"balloon", "demo"}).size_bytes);
  CAF_CHECK(*parsed<balloon_arguments>({"balloon", "demo", "64M"}).size_bytes
            == std::uint64_t{64} << 20);
  CAF_CHECK(*parsed<balloon_arguments>({"balloon", "demo", "0"}).size_bytes == std::uint64_t{0});
  CAF_CHECK(problem({"balloon", "demo", "x"}).find("is no size") != std::string::npos);
  CAF_CHECK(problem({"balloon", "demo", "5T"}).find("out of range; allowed is 0 to")
            != std::string::npos);
}

CAF_TEST(a VM is passed and taken) {
  CAF_CHECK(parsed<pass_arguments>({"pass", "demo"}).vm == "demo");
  auto word = std::string(32, 'a');
  CAF_CHECK(parsed<take_arguments>({"take", word}).word == word);
  for (const auto* wrong : {"", "demo", "0123456789ABCDEF0123456789ABCDEF"})
    CAF_CHECK(problem({"take", wrong}).find("is no word of `crosvisor pass`") != std::string::npos);
}

CAF_TEST(a run may be left to the daemon) {
  auto run = parsed<run_arguments>({"run", "c.json", "--detach", "--connect", "tls://h"});
  CAF_CHECK(run.detach && !run.no_start);
  CAF_CHECK_EQUAL(run.connect.where, "tls://h");
  CAF_CHECK(parsed<run_arguments>({"run", "c.json", "-d", "--no-start"}).no_start);
  CAF_CHECK(problem({"run", "c.json", "--no-start"}).find("--detach") != std::string::npos);
  for (const auto& option :
       {words{"--events", "e"}, words{"--payload-output", "p"}, words{"--timeout", "5"}}) {
    words arguments{"run", "c.json", "-d"};
    arguments.insert(arguments.end(), option.begin(), option.end());
    CAF_CHECK(problem(arguments).starts_with("--detach leaves the VM alone"));
  }
  CAF_CHECK(problem({"run", "c.json", "-d", "--console", "-"})
              .starts_with("--detach has standard output for the CID"));
  CAF_CHECK_EQUAL(problem({"run", "c.json", "-d", "--console", "f"}), "");
  CAF_CHECK(problem({"run-app", "a", "b", "c", "d", "-d", "--timeout", "5"})
              .starts_with("--detach leaves the VM alone"));
}

CAF_TEST(the way to a service is checked) {
  auto read = parsed<list_arguments>(
    {"list", "--connect", "tls://h:1", "--certificate", "c", "--key", "k", "--ca", "a"});
  CAF_CHECK_EQUAL(read.connect.certificate + read.connect.key + read.connect.ca, "cka");
  CAF_CHECK(problem({"list", "--connect", "h:1"})
              .starts_with("--connect: \"h:1\" says no way to a service"));
  CAF_CHECK(problem({"list", "--key", ""}).find("needs a file") != std::string::npos);
}

CAF_TEST(each command has an example in its help) {
  for (const auto& command : all_commands) {
    auto line = parse_arguments({command, "--help"});
    CAF_REQUIRE(std::holds_alternative<text_answer>(line));
    auto text = std::get<text_answer>(line).text;
    auto has_example =
      text.find("crosvisor " + command + (command == "list" ? "" : " ")) != std::string::npos;
    CAF_CHECK(has_example);
    if (!has_example)
      CAF_MESSAGE(command);
  }
}

CAF_TEST(a drain may have a time for guests or be ended) {
  CAF_CHECK(!parsed<drain_arguments>({"drain"}).timeout);
  CAF_CHECK(parsed<drain_arguments>({"drain", "--timeout", "60"}).timeout == 60s);
  CAF_CHECK(parsed<drain_arguments>({"drain", "--resume"}).resume);
  CAF_CHECK(!problem({"drain", "--resume", "--timeout", "1"}).empty());
  CAF_CHECK(!problem({"drain", "--timeout", "3601"}).empty());
  CAF_CHECK(!problem({"drain", "demo"}).empty());
}
