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
  CAF_CHECK_EQUAL(plain.subject, "demo.json");
  CAF_CHECK(!plain.name && !plain.memory_mib && !plain.cpus && !plain.vmm && !plain.accel);
  CAF_CHECK(!plain.restart);
  CAF_CHECK(plain.console.empty() && plain.log.empty() && plain.events.empty());
  CAF_CHECK(!plain.timeout);
}

CAF_TEST(every option of a run is read) {
  auto full =
    run({"--name",  "b1",       "--mem",     "512",       "--cpus=2",  "--vmm",    "qemu",
         "--accel", "tcg",      "--restart", "always",    "--console", "-",        "--log",
         "log.txt", "--events", "e.jsonl",   "--timeout", "2.5",       "demo.json"});
  CAF_CHECK_EQUAL(full.subject, "demo.json");
  CAF_CHECK_EQUAL(*full.name, "b1");
  CAF_CHECK_EQUAL(*full.memory_mib, 512u);
  CAF_CHECK_EQUAL(*full.cpus, 2u);
  CAF_CHECK(*full.vmm == vmm_kind::qemu);
  CAF_CHECK(*full.accel == accel_kind::tcg);
  CAF_CHECK(*full.restart == restart_policy::always);
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
  CAF_CHECK_EQUAL(
    problem({"info", "-o", "yaml"}),
    "--output: \"yaml\" is not one of table, json, jsonl; see `crosvisor info --help`");
  auto logs = std::get<logs_arguments>(parse_arguments({"logs", "demo", "-f", "--vmm"}));
  CAF_CHECK_EQUAL(logs.vm, "demo");
  CAF_CHECK_EQUAL(logs.follow, true);
  CAF_CHECK(logs.log == log_kind::vmm);
  CAF_CHECK(std::get<logs_arguments>(parse_arguments({"logs", "2048"})).log == log_kind::console);
  CAF_CHECK(problem({"logs", "x", "--log", "--vmm"}).find("excludes") != std::string::npos);
}

CAF_TEST(help and version are texts) {
  CAF_CHECK_EQUAL(text({"--version"}), "crosvisor " CROSVISOR_VERSION "\n");
  CAF_CHECK(text({"--help"}).find("CROSVISOR_QEMU") != std::string::npos);
  CAF_CHECK(text({"run", "--help"}).find("--timeout SEC") != std::string::npos);
  CAF_CHECK(text({"run", "-h"}).find("Exit codes") != std::string::npos);
}

// -- images and apps -------------------------------------------------------------

namespace {

template <class Arguments>
Arguments parsed(const words& arguments) {
  auto line = parse_arguments(arguments);
  if (const auto* wrong = std::get_if<usage_error>(&line))
    CAF_FAIL(wrong->what);
  return std::get<Arguments>(line);
}

} // namespace

CAF_TEST(an app needs its files and a configuration or a binary) {
  auto app = parsed<run_app_arguments>({"run-app",
                                        "a.apk",
                                        "a.idsig",
                                        "i.img",
                                        "assets/vm_config.json",
                                        "--debug",
                                        "full",
                                        "--mem",
                                        "512",
                                        "--os",
                                        "other",
                                        "--extra-apk",
                                        "b.apk",
                                        "--extra-idsig",
                                        "b.idsig",
                                        "--storage",
                                        "s.img",
                                        "--storage-size",
                                        "2G",
                                        "--allow-unsigned"});
  CAF_CHECK_EQUAL(app.subject, "a.apk");
  CAF_CHECK_EQUAL(app.idsig, "a.idsig");
  CAF_CHECK_EQUAL(app.instance, "i.img");
  CAF_CHECK_EQUAL(app.config_path, "assets/vm_config.json");
  CAF_CHECK(app.debug == debug_level::full);
  CAF_CHECK_EQUAL(*app.memory_mib, 512u);
  CAF_CHECK_EQUAL(app.os, "other");
  CAF_CHECK_EQUAL(app.extra_apks.at(0), "b.apk");
  CAF_CHECK_EQUAL(app.extra_idsigs.at(0), "b.idsig");
  CAF_CHECK_EQUAL(app.storage, "s.img");
  CAF_CHECK_EQUAL(app.storage_bytes, std::uint64_t{2} << 30);
  CAF_CHECK_EQUAL(app.instance_bytes, std::uint64_t{10} << 20);
  CAF_CHECK(app.allow_unsigned);
  auto binary =
    parsed<run_app_arguments>({"run-app", "a", "b", "c", "--payload-binary", "libdemo.so"});
  CAF_CHECK_EQUAL(binary.payload_binary, "libdemo.so");
}

CAF_TEST(what an app lacks or has twice is said) {
  CAF_CHECK_EQUAL(
    problem({"run-app", "a", "b", "c"}),
    "give CONFIG_PATH or --payload-binary, one of them; see `crosvisor run-app --help`");
  CAF_CHECK_EQUAL(
    problem({"run-app", "a", "b", "c", "d", "--payload-binary", "e"}),
    "give CONFIG_PATH or --payload-binary, one of them; see `crosvisor run-app --help`");
  CAF_CHECK_EQUAL(problem({"run-app", "a", "b", "c", "d", "--extra-apk", "x"}),
                  "1 --extra-apk and 0 --extra-idsig are given; each needs the other");
  CAF_CHECK(problem({"run-app", "a", "b", "c", "d", "--debug", "some"}) != "");
  CAF_CHECK(problem({"run-app", "a", "b"}) != "");
}

CAF_TEST(sizes have units of powers of 1024) {
  for (auto [text, bytes] : {std::pair{"1", std::uint64_t{1}},
                             {"4096", 4096},
                             {"64K", 65536},
                             {"10M", 10485760},
                             {"1G", 1073741824},
                             {"1T", std::uint64_t{1} << 40}}) {
    auto made = parsed<create_partition_arguments>({"create-partition", "p.img", text});
    CAF_CHECK_EQUAL(made.spec.size_bytes, bytes);
    CAF_CHECK(made.spec.type == partition_type::raw);
  }
  for (const auto* text : {"0", "", "K", "1X", "1.5G", "-1", "2T", "99999999999999999999", "1 G"})
    CAF_CHECK(problem({"create-partition", "p.img", text}).find("SIZE") != std::string::npos);
}

CAF_TEST(the other commands for images are read) {
  auto partition =
    parsed<create_partition_arguments>({"create-partition", "p.img", "1M", "--type", "instance"});
  CAF_CHECK(partition.spec.type == partition_type::instance);
  CAF_CHECK(problem({"create-partition", "p", "1M", "-t", "ext4"}).find("ext4")
            != std::string::npos);
  auto idsig = parsed<create_idsig_arguments>({"create-idsig", "a.apk", "a.idsig"});
  CAF_CHECK_EQUAL(idsig.apk, "a.apk");
  CAF_CHECK(!idsig.allow_unsigned);
  auto composite = parsed<create_composite_arguments>(
    {"create-composite", "d.img", "a:a.img", "b:b.img:writable"});
  CAF_CHECK_EQUAL(composite.partitions.size(), 2u);
  CAF_CHECK_EQUAL(composite.partitions.at(1), "b:b.img:writable");
  CAF_CHECK(problem({"create-composite", "d.img"}) != "");
}

CAF_TEST(each command for images has an example in its help) {
  for (const auto* command : {"run-app", "create-partition", "create-idsig", "create-composite"})
    CAF_CHECK(text({command, "--help"}).find(std::string{"  crosvisor "} + command)
              != std::string::npos);
}

CAF_TEST(the commands about images are read) {
  auto push = std::get<image_push_arguments>(parse_arguments({"image", "push", "a/disk.img"}));
  CAF_CHECK_EQUAL(push.path, "a/disk.img");
  CAF_CHECK_EQUAL(push.name, "disk.img");
  push = std::get<image_push_arguments>(parse_arguments({"image", "push", "x", "image:disk.img"}));
  CAF_CHECK_EQUAL(push.name, "disk.img");
  auto pull = std::get<image_pull_arguments>(parse_arguments({"image", "pull", "disk.img"}));
  CAF_CHECK_EQUAL(pull.name + ' ' + pull.path, "disk.img disk.img");
  pull = std::get<image_pull_arguments>(parse_arguments({"image", "pull", "image:disk.img", "-"}));
  CAF_CHECK_EQUAL(pull.name + ' ' + pull.path, "disk.img -");
  auto list = std::get<image_list_arguments>(parse_arguments({"image", "list", "-o", "jsonl"}));
  CAF_CHECK(list.output == output_format::jsonl);
  auto remove =
    std::get<image_remove_arguments>(parse_arguments({"image", "remove", "a", "image:b"}));
  CAF_REQUIRE_EQUAL(remove.names.size(), 2u);
  CAF_CHECK_EQUAL(remove.names[0] + ' ' + remove.names[1], "a b");
}

CAF_TEST(what is wrong with a command about images is said) {
  auto allowed = std::string{" is no name of an image; allowed are letters, digits, '.', '_' and "
                             "'-', a letter first, at most 64"};
  CAF_CHECK_EQUAL(problem({"image"}), "no command given; see `crosvisor image --help`");
  CAF_CHECK_EQUAL(problem({"image", "pusj", "a"}),
                  "unknown command \"pusj\"; did you mean \"push\"?; see `crosvisor image --help`");
  CAF_CHECK_EQUAL(problem({"image", "push"}),
                  "FILE is required; see `crosvisor image push --help`");
  CAF_CHECK_EQUAL(problem({"image", "push", "7.img"}),
                  "\"7.img\"" + allowed + "; give a NAME behind the file");
  CAF_CHECK_EQUAL(problem({"image", "push", "a", "../b"}),
                  "NAME: \"../b\"" + allowed + "; see `crosvisor image push --help`");
  CAF_CHECK_EQUAL(problem({"image", "remove", "a", "/b"}),
                  "NAME: \"/b\"" + allowed + "; see `crosvisor image remove --help`");
  CAF_CHECK(text({"image", "push", "--help"}).find("crosvisor image push disk.img")
            != std::string::npos);
  CAF_CHECK(text({"image", "--help"}).find("push") != std::string::npos);
}
