// SPDX-License-Identifier: Apache-2.0
// The arguments of the commands that speak to a service, and of the way to it.
#include "crosvisor/cli/argument_checks.hpp"
#include "crosvisor/cli/argument_parts.hpp"
#include "crosvisor/messages/payload_status.hpp"

#include <array>
#include <tuple>

namespace crosvisor::cli {

namespace {

using std::chrono::milliseconds;

/// A VM may have that many bytes of memory, and its balloon take them.
constexpr std::uint64_t max_memory_bytes = std::uint64_t{max_memory_mib} << 20;

constexpr const char* info_footer = R"(
Examples:
  crosvisor info
  crosvisor info demo -o json
  crosvisor info --limits
  crosvisor info --metrics -o json

Without VM, what this host can do, as the daemon has it where one is there.)";

constexpr const char* logs_footer = R"(
Examples:
  crosvisor logs demo -f
  crosvisor logs 2048 --vmm

Without a daemon, what VMs of `crosvisor run` left is shown.)";

constexpr const char* console_footer = R"(
An example:
  crosvisor console demo -f

The same as `crosvisor logs` without --log and --vmm.)";

constexpr const char* stop_footer = R"(
Examples:
  crosvisor stop demo
  crosvisor stop 2048 --timeout 60

Presses the guest's power button, and when it has had its time goes on to the VMM's own
stop, SIGTERM and SIGKILL. Says how the VM ended.)";

constexpr const char* list_footer = R"(
Examples:
  crosvisor list
  crosvisor list -o jsonl

Dead VMs are shown for as long as the daemon knows them.)";

constexpr const char* watch_footer = R"(
Examples:
  crosvisor watch
  crosvisor watch demo --history -o jsonl

Of all VMs until it is ended, of one until that is dead.)";

constexpr const char* timeline_footer = R"(
Examples:
  crosvisor timeline demo
  crosvisor timeline 2048 -o svg > start.svg

Also of a VM that is dead, for as long as the daemon keeps its events. -o trace is for
https://ui.perfetto.dev and the like.)";

constexpr const char* port_footer = R"(
Examples:
  crosvisor connect demo 5555
  echo hello | crosvisor connect 2048 7000

Standard input goes to the guest, and what the guest sends to standard output; each way is
closed when it has ended, and the command ends when both are.)";

constexpr const char* balloon_footer = R"(
Examples:
  crosvisor balloon demo
  crosvisor balloon demo 64M

What the balloon holds, the guest can't use; 0 gives it all back.)";

constexpr const char* pass_footer = R"(
An example:
  crosvisor pass demo

Prints a word, good once and not for long. Whoever says it to `crosvisor take` may use the
VM as its owner does.)";

constexpr const char* take_footer = R"(
An example:
  crosvisor take 0123456789abcdef0123456789abcdef

Prints the VM's CID.)";

constexpr const char* drain_footer = R"(
Examples:
  crosvisor drain --timeout 120
  crosvisor drain --resume

Ends when no VM is left. The daemon stays, and creates none until `crosvisor drain --resume`
or its restart. Only for root, on the daemon's host.)";

constexpr const char* verb_footer(vm_verb verb) {
  switch (verb) {
    case vm_verb::start:
      return R"(
An example:
  crosvisor start demo

Returns when the VMM runs the guest.)";
    case vm_verb::suspend:
      return R"(
An example:
  crosvisor suspend demo)";
    case vm_verb::resume:
      return R"(
An example:
  crosvisor resume demo)";
    case vm_verb::hold:
      return R"(
An example:
  crosvisor hold demo

The VM then lives on by itself, whoever goes, until `crosvisor drop` or its end.)";
    case vm_verb::drop: break;
  }
  return R"(
An example:
  crosvisor drop demo

If nobody else uses the VM, it is stopped.)";
}

CLI::Option* add_vm(CLI::App& app, std::string& target, bool required = true) {
  auto* option = add_checked(app, "VM", "CID|NAME", "The VM's CID or name", vm_word(target));
  if (required)
    option->required();
  return option;
}

const char* name_of(output_format format) {
  constexpr std::array<const char*, 3> names{"table", "json", "jsonl"};
  return names[static_cast<std::size_t>(format)];
}

} // namespace

void add_connect(CLI::App& app, connect_arguments& target) {
  add_checked(
    app, "--connect", "ENDPOINT",
    "Where the service is: unix:PATH, tls://HOST[:PORT] or embedded:", endpoint_word(target.where));
  for (auto [name, file, what] :
       {std::tuple{"--certificate", &target.certificate, "Who one is to a service on another host"},
        {"--key", &target.key, "The certificate's key"},
        {"--ca", &target.ca, "The CA that such a service's certificate is of"}}) {
    app.add_option(name, *file, what)
      ->type_name("FILE")
      ->check(CLI::Validator{not_empty("a file"), ""});
  }
}

void add_output_format(CLI::App& app, output_format& target,
                       std::initializer_list<output_format> known) {
  std::string words, bars;
  for (auto format : known) {
    words += (words.empty() ? "" : ", ") + std::string{name_of(format)};
    bars += (bars.empty() ? "" : "|") + std::string{name_of(format)};
  }
  auto read = [&target, formats = std::vector(known), words](const std::string& text) {
    for (auto format : formats) {
      if (text == name_of(format)) {
        target = format;
        return std::string{};
      }
    }
    return io::in_quotes(text) + " is not one of " + words;
  };
  add_checked(app, "-o,--output", bars.c_str(), "How to print it", std::move(read));
}

void add_arguments(CLI::App& app, info_arguments& target) {
  app.footer(info_footer);
  auto* vm = add_vm(app, target.vm, false);
  auto* limits =
    app.add_flag("--limits", target.limits, "Show the daemon's bounds, and what of them is in use")
      ->excludes(vm);
  app.add_flag("--metrics", target.metrics, "Show what the daemon has counted and measured")
    ->excludes(vm)
    ->excludes(limits);
  add_output_format(app, target.output);
  add_connect(app, target.connect);
}

void add_logs(CLI::App& app, logs_arguments& target, const char* command) {
  bool has_choice = command == std::string{"logs"};
  app.footer(has_choice ? logs_footer : console_footer);
  add_vm(app, target.vm);
  app.add_flag("-f,--follow", target.follow, "Stay, and show what comes");
  add_connect(app, target.connect);
  if (!has_choice)
    return;
  auto* log = app.add_flag_callback(
    "--log", [&target] { target.log = log_kind::log; },
    "The guest's log port instead of its console");
  auto* vmm = app.add_flag_callback(
    "--vmm", [&target] { target.log = log_kind::vmm; },
    "The VMM's own words instead of the console");
  app
    .add_flag_callback(
      "--crash", [&target] { target.log = log_kind::crash; },
      "What the guest sent as crash files instead of the console")
    ->excludes(log, vmm);
  vmm->excludes(log);
}

void add_arguments(CLI::App& app, verb_arguments& target) {
  app.footer(verb_footer(target.verb));
  add_vm(app, target.vm);
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, stop_arguments& target) {
  app.footer(stop_footer);
  add_vm(app, target.vm);
  auto* timeout =
    add_checked(app, "--timeout", "SEC", "How long the guest may take to power itself off (10)",
                seconds(milliseconds{0}, std::chrono::hours{1}, target.timeout));
  app.add_flag("--force", target.force, "Kill it at once")->excludes(timeout);
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, list_arguments& target) {
  app.footer(list_footer);
  add_output_format(app, target.output);
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, watch_arguments& target) {
  app.footer(watch_footer);
  add_vm(app, target.vm, false);
  app.add_flag("--history", target.history, "Begin with the last events that are kept");
  add_output_format(app, target.output, {output_format::table, output_format::jsonl});
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, timeline_arguments& target) {
  app.footer(timeline_footer);
  add_vm(app, target.vm);
  auto read = [&target](const std::string& text) -> std::string {
    for (auto [name, format] : {std::pair{"text", timeline_format::text},
                                {"json", timeline_format::json},
                                {"svg", timeline_format::svg},
                                {"trace", timeline_format::trace}}) {
      if (text == name) {
        target.output = format;
        return "";
      }
    }
    return io::in_quotes(text) + " is not one of text, json, svg, trace";
  };
  add_checked(app, "-o,--output", "text|json|svg|trace", "How to draw it", std::move(read));
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, port_arguments& target) {
  app.footer(port_footer);
  add_vm(app, target.vm);
  add_checked(app, "PORT", "PORT", "The guest's vsock port",
              whole_number(1, 0xfffffffe, target.port))
    ->required();
  add_checked(app, "--timeout", "SEC", "How long the guest may take to answer (5)",
              seconds(milliseconds{1}, std::chrono::hours{1}, target.timeout));
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, balloon_arguments& target) {
  app.footer(balloon_footer);
  add_vm(app, target.vm);
  add_checked(app, "SIZE", "SIZE[K|M|G|T]", "What the balloon is to hold; shown without it",
              byte_size_or_none(max_memory_bytes, target.size_bytes));
  add_output_format(app, target.output);
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, pass_arguments& target) {
  app.footer(pass_footer);
  add_vm(app, target.vm);
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, take_arguments& target) {
  app.footer(take_footer);
  auto read = [&target](const std::string& text) -> std::string {
    target.word = text;
    auto fits = text.size() == ticket_digits
                && text.find_first_not_of("0123456789abcdef") == std::string::npos;
    return fits ? "" : io::in_quotes(text) + " is no word of `crosvisor pass`";
  };
  add_checked(app, "WORD", "WORD", "What `crosvisor pass` printed", std::move(read))->required();
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, drain_arguments& target) {
  app.footer(drain_footer);
  auto* timeout =
    add_checked(app, "--timeout", "SEC", "How long each guest may take to power itself off (10)",
                seconds(milliseconds{0}, std::chrono::hours{1}, target.timeout));
  app.add_flag("--resume", target.resume, "Create VMs again")->excludes(timeout);
  add_connect(app, target.connect);
}

} // namespace crosvisor::cli
