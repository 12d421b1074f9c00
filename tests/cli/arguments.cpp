// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/arguments.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE cli.arguments

using namespace crosvisor;
using namespace crosvisor::cli;

namespace {

using words = std::vector<std::string>;

run_arguments run(words arguments) {
  arguments.insert(arguments.begin(), "run");
  auto line = parse_arguments(arguments);
  if (const auto* wrong = std::get_if<usage_error>(&line))
    CAF_FAIL(wrong->what);
  return std::get<run_arguments>(line);
}

std::string problem(const words& arguments) {
  auto line = parse_arguments(arguments);
  const auto* wrong = std::get_if<usage_error>(&line);
  return wrong == nullptr ? "" : wrong->what;
}

std::string text(const words& arguments) {
  auto line = parse_arguments(arguments);
  const auto* answer = std::get_if<text_answer>(&line);
  return answer == nullptr ? "" : answer->text;
}

} // namespace

CAF_TEST(a run needs its configuration alone) {
  auto plain = run({"demo.json"});
  CAF_CHECK_EQUAL(plain.config_path, "demo.json");
  CAF_CHECK(!plain.name && !plain.memory_mib && !plain.cpus && !plain.vmm && !plain.accel);
  CAF_CHECK(plain.console.empty() && plain.log.empty() && plain.events.empty());
  CAF_CHECK(!plain.timeout);
}

CAF_TEST(every option of a run is read) {
  auto full =
    run({"--name", "b1", "--mem", "512", "--cpus=2", "--vmm", "qemu", "--accel", "tcg", "--console",
         "-", "--log", "log.txt", "--events", "e.jsonl", "--timeout", "2.5", "demo.json"});
  CAF_CHECK_EQUAL(full.config_path, "demo.json");
  CAF_CHECK_EQUAL(*full.name, "b1");
  CAF_CHECK_EQUAL(*full.memory_mib, 512u);
  CAF_CHECK_EQUAL(*full.cpus, 2u);
  CAF_CHECK(*full.vmm == vmm_kind::qemu);
  CAF_CHECK(*full.accel == accel_kind::tcg);
  CAF_CHECK_EQUAL(full.console, "-");
  CAF_CHECK_EQUAL(full.log, "log.txt");
  CAF_CHECK_EQUAL(full.events, "e.jsonl");
  CAF_CHECK(*full.timeout == std::chrono::milliseconds{2500});
}

CAF_TEST(values out of range are refused with what is allowed) {
  auto of = [](const char* option, const char* value) {
    return problem({"run", "c.json", option, value});
  };
  auto see = std::string{"; see `crosvisor run --help`"};
  CAF_CHECK_EQUAL(of("--mem", "8"), "--mem: 8 is out of range; allowed is 16 to 4194304" + see);
  CAF_CHECK_EQUAL(of("--mem", "99999999999999999999"),
                  "--mem: 99999999999999999999 is out of range; allowed is 16 to 4194304" + see);
  CAF_CHECK_EQUAL(of("--mem", "x"),
                  "--mem: \"x\" is not a whole number; allowed is 16 to 4194304" + see);
  CAF_CHECK_EQUAL(of("--cpus", "0"), "--cpus: 0 is out of range; allowed is 1 to 64" + see);
  CAF_CHECK_EQUAL(of("--vmm", "xen"), "--vmm: \"xen\" is not one of auto, crosvm, qemu" + see);
  CAF_CHECK_EQUAL(of("--accel", "hvf"), "--accel: \"hvf\" is not one of auto, kvm, tcg" + see);
  CAF_CHECK_EQUAL(of("--timeout", "0"),
                  "--timeout: \"0\" is no time; allowed is 0.001 to 31536000 seconds" + see);
  CAF_CHECK_EQUAL(of("--timeout", "nan"),
                  "--timeout: \"nan\" is no time; allowed is 0.001 to 31536000 seconds" + see);
  CAF_CHECK_EQUAL(
    of("--name", "2048"),
    "--name: \"2048\" is not a name; allowed are letters, digits, '.', '_' and '-', a "
    "letter first, at most 64"
      + see);
}

CAF_TEST(what is unknown is named with what may be meant) {
  CAF_CHECK_EQUAL(problem({"run", "c.json", "--memory", "5"}),
                  "unknown option \"--memory\"; see `crosvisor run --help`");
  CAF_CHECK_EQUAL(
    problem({"run", "c.json", "--event=x"}),
    "unknown option \"--event\"; did you mean \"--events\"?; see `crosvisor run --help`");
  CAF_CHECK_EQUAL(problem({"rnu", "c.json"}),
                  "unknown command \"rnu\"; did you mean \"run\"?; see `crosvisor --help`");
  CAF_CHECK_EQUAL(problem({"--colour"}), "unknown option \"--colour\"; see `crosvisor --help`");
  CAF_CHECK_EQUAL(problem({"run", "a.json", "b.json"}),
                  "unexpected \"b.json\"; see `crosvisor run --help`");
}

CAF_TEST(what is missing is named) {
  CAF_CHECK_EQUAL(problem({}), "no command given; see `crosvisor --help`");
  CAF_CHECK_EQUAL(problem({"run"}), "CONFIG is required; see `crosvisor run --help`");
  CAF_CHECK_EQUAL(problem({"run", "c.json", "--mem"}),
                  "--mem: 1 required MIB missing; see `crosvisor run --help`");
  CAF_CHECK_EQUAL(problem({"logs"}), "VM is required; see `crosvisor logs --help`");
}

CAF_TEST(the output of the payload goes to standard output unless the events are there) {
  CAF_CHECK_EQUAL(run({"c.json"}).output_path(), "-");
  CAF_CHECK_EQUAL(run({"c.json", "--console", "-"}).output_path(), "-");
  CAF_CHECK_EQUAL(run({"c.json", "--events", "e.jsonl"}).output_path(), "-");
  CAF_CHECK_EQUAL(run({"c.json", "--events", "-"}).output_path(), "");
  CAF_CHECK_EQUAL(run({"c.json", "--payload-output", "o.txt"}).output_path(), "o.txt");
  CAF_CHECK_EQUAL(run({"c.json", "--events", "-", "--payload-output", "o.txt"}).output_path(),
                  "o.txt");
  CAF_CHECK_EQUAL(problem({"run", "c.json", "--events", "-", "--payload-output", "-"}),
                  "--events and --payload-output can't share standard output; give one a file");
}

CAF_TEST(events share standard output with nobody) {
  CAF_CHECK_EQUAL(problem({"run", "c.json", "--events", "-", "--console", "-"}),
                  "--events and --console or --log can't share standard output; give one a file");
  CAF_CHECK_EQUAL(problem({"run", "c.json", "--console", "-", "--log", "-"}), "");
}

CAF_TEST(the other commands are read) {
  auto plain = std::get<info_arguments>(parse_arguments({"info"}));
  CAF_CHECK(plain.output == output_format::table);
  auto json = std::get<info_arguments>(parse_arguments({"info", "-o", "json"}));
  CAF_CHECK(json.output == output_format::json);
  CAF_CHECK_EQUAL(problem({"info", "-o", "yaml"}),
                  "--output: \"yaml\" is not one of table, json; see `crosvisor info --help`");
  auto logs = std::get<logs_arguments>(parse_arguments({"logs", "demo", "-f", "--vmm"}));
  CAF_CHECK_EQUAL(logs.vm, "demo");
  CAF_CHECK_EQUAL(logs.follow, true);
  CAF_CHECK_EQUAL(logs.log, "vmm");
  CAF_CHECK_EQUAL(std::get<logs_arguments>(parse_arguments({"logs", "2048"})).log, "console");
  CAF_CHECK(problem({"logs", "x", "--log", "--vmm"}).find("excludes") != std::string::npos);
}

CAF_TEST(help and version are texts) {
  CAF_CHECK_EQUAL(text({"--version"}), "crosvisor " CROSVISOR_VERSION "\n");
  CAF_CHECK(text({"--help"}).find("CROSVISOR_QEMU") != std::string::npos);
  CAF_CHECK(text({"run", "--help"}).find("--timeout SEC") != std::string::npos);
  CAF_CHECK(text({"run", "-h"}).find("Exit codes") != std::string::npos);
}
