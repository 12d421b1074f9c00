// SPDX-License-Identifier: Apache-2.0
// The arguments of `run` and `run-app`.
#include "crosvisor/cli/argument_checks.hpp"
#include "crosvisor/cli/argument_parts.hpp"

#include <tuple>

namespace crosvisor::cli {

namespace {

constexpr const char* run_footer = R"(
Examples:
  crosvisor run demo.json
  crosvisor run demo.json --detach --name build7

Without a daemon the VM runs in this process. Ctrl-C stops it: power button, VMM stop,
SIGTERM, SIGKILL; a second one kills it.
Without --console and --log the last megabytes are kept: see `crosvisor logs`.
The payload's output goes to standard output, unless --events is there. What --console
and --log write there too is mixed with it, as it comes.

Exit codes: the payload's own, 1 to 119, higher ones as 119; 0 the payload succeeded, or
the guest powered off without a word of one; 2 wrong usage or configuration; 6 the name
is taken; 120 crash; 121 hang-up; 122 reboot; 123 payload not verified; 124 --timeout ran
out; 125 start failed; 126 infrastructure error; 128 + n the VMM was killed by signal n.)";

constexpr const char* run_app_footer = R"(
An example:
  crosvisor run-app demo.apk demo.apk.idsig demo.instance.img assets/vm_config.json

IDSIG is written where it is missing or not of this APK, INSTANCE is made where it is
missing. image:NAME instead of a file is one that the daemon stores. Ctrl-C, output and
exit codes are those of `crosvisor run`.)";

void add_run_options(CLI::App& app, run_options& run) {
  add_checked(app, "--name", "NAME", "What to call the VM", vm_name_into(run.name));
  add_checked(app, "--mem", "MIB", "The guest's memory",
              whole_number(min_memory_mib, max_memory_mib, run.memory_mib));
  add_checked(app, "--cpus", "N", "How many virtual CPUs", whole_number(1, max_cpus, run.cpus));
  add_checked(app, "--vmm", "auto|crosvm|qemu", "What runs the VM",
              word("auto, crosvm, qemu", parse_vmm_kind, run.vmm));
  add_checked(app, "--accel", "auto|kvm|tcg", "What executes the guest's instructions",
              word("auto, kvm, tcg", parse_accel_kind, run.accel));
  add_checked(app, "--restart", "never|on_failure|always",
              "Whether it is started again when it died",
              word("never, on_failure, always", parse_restart_policy, run.restart));
  for (auto [name, target, what] :
       {std::tuple{"--console", &run.console, "console goes"},
        {"--log", &run.log, "log port goes"},
        {"--payload-output", &run.payload_output, "payload's output goes"},
        {"--events", &run.events, "events go, one JSON object a line"}}) {
    app.add_option(name, *target, std::string{"Where the VM's "} + what + "; - is standard output")
      ->type_name("FILE|-")
      ->check(CLI::Validator{not_empty("a file"), ""});
  }
  add_checked(app, "--timeout", "SEC", "Stop the VM when it has run for so long",
              seconds(std::chrono::milliseconds{1}, std::chrono::hours{365 * 24}, run.timeout));
  auto* detach = app.add_flag("-d,--detach", run.detach,
                              "Start the VM, hold it, print its CID, and leave it to the daemon");
  app.add_flag("--no-start", run.no_start, "Create it only; see `crosvisor start`")->needs(detach);
  add_connect(app, run.connect);
}

CLI::Option* add_file(CLI::App& app, const char* name, std::string& target, const char* what) {
  return app.add_option(name, target, what)
    ->type_name("FILE")
    ->check(CLI::Validator{not_empty("a file"), ""});
}

void add_app_files(CLI::App& app, run_app_arguments& target) {
  add_file(app, "APK", target.subject, "The app")->required();
  add_file(app, "IDSIG", target.idsig, "The APK's digest")->required();
  add_file(app, "INSTANCE", target.instance, "What the payload keeps")->required();
  app.add_option("CONFIG_PATH", target.config_path, "The payload's configuration in the APK")
    ->type_name("PATH");
  add_checked(app, "--instance-size", "SIZE", "Of an instance image to be made (10M)",
              byte_size(max_partition_bytes, target.instance_bytes));
  add_file(app, "--storage", target.storage, "An encrypted store for the payload, made if missing");
  add_checked(app, "--storage-size", "SIZE", "Of a store to be made (10M)",
              byte_size(max_partition_bytes, target.storage_bytes));
  app.add_option("--extra-apk", target.extra_apks, "A further APK for the payload; repeatable")
    ->type_name("FILE")
    ->allow_extra_args(false);
  app.add_option("--extra-idsig", target.extra_idsigs, "Its digest, in the same order")
    ->type_name("FILE")
    ->allow_extra_args(false);
}

/// A VM that is left alone has nobody to write for, and nobody to look at its time.
std::optional<usage_error> detach_conflict(const run_options& options) {
  if (!options.detach)
    return std::nullopt;
  if (!options.events.empty() || !options.payload_output.empty() || options.timeout)
    return usage_error{"--detach leaves the VM alone: --events, --payload-output and --timeout "
                       "can't be given with it; see `crosvisor watch`"};
  if (options.console == "-" || options.log == "-")
    return usage_error{"--detach has standard output for the CID; give --console and --log a file"};
  return std::nullopt;
}

} // namespace

void add_arguments(CLI::App& app, run_arguments& target) {
  app.footer(run_footer);
  app.add_option("CONFIG", target.subject, "The VM's configuration, a JSON file")
    ->required()
    ->type_name("FILE");
  add_run_options(app, target);
}

void add_arguments(CLI::App& app, run_app_arguments& target) {
  app.footer(run_app_footer);
  add_app_files(app, target);
  app
    .add_option("--payload-binary", target.payload_binary,
                "The payload itself, a file of the APK's lib/ABI/, instead of CONFIG_PATH")
    ->type_name("NAME");
  app.add_option("--os", target.os, "The operating system (microdroid)")->type_name("NAME");
  add_checked(app, "--debug", "none|full", "How far the guest may be looked into (none)",
              word("none, full", parse_debug_level, target.debug));
  app.add_flag("--allow-unsigned", target.allow_unsigned,
               "Take APKs without a signature of scheme v3");
  add_run_options(app, target);
}

std::optional<usage_error> find_conflict(const run_options& options) {
  if (auto conflict = detach_conflict(options))
    return conflict;
  if (options.events == "-" && (options.console == "-" || options.log == "-")) {
    return usage_error{
      "--events and --console or --log can't share standard output; give one a file"};
  }
  if (options.events == "-" && options.payload_output == "-") {
    return usage_error{
      "--events and --payload-output can't share standard output; give one a file"};
  }
  return std::nullopt;
}

std::optional<usage_error> find_conflict(const run_app_arguments& arguments) {
  if (arguments.config_path.empty() == arguments.payload_binary.empty())
    return usage_error{"give CONFIG_PATH or --payload-binary, one of them; see `crosvisor run-app "
                       "--help`"};
  if (arguments.extra_apks.size() != arguments.extra_idsigs.size())
    return usage_error{std::to_string(arguments.extra_apks.size()) + " --extra-apk and "
                       + std::to_string(arguments.extra_idsigs.size())
                       + " --extra-idsig are given; each needs the other"};
  return find_conflict(static_cast<const run_options&>(arguments));
}

} // namespace crosvisor::cli
