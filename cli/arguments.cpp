// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/arguments.hpp"

#include "crosvisor/io/config/nearest_word.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <utility>

namespace crosvisor::cli {

namespace {

constexpr const char* program_footer = R"(
CROSVISOR_CROSVM, CROSVISOR_QEMU and CROSVISOR_VSOCK name programs by absolute path,
CROSVISOR_NBDKIT_PLUGIN nbdkit's plugin for disks of partitions.
CROSVISOR_RUNTIME_DIR and CROSVISOR_STATE_DIR say where files go; without them to
/run/crosvisor and /var/lib/crosvisor for root, $XDG_RUNTIME_DIR/crosvisor and
$XDG_STATE_HOME/crosvisor or ~/.local/state/crosvisor for others.
CROSVISOR_LOG=debug|info|warn|error says what is logged; warn without it.
NO_COLOR turns colours off.)";

constexpr const char* run_footer = R"(
Ctrl-C stops the VM: power button, VMM stop, SIGTERM, SIGKILL; a second one kills it.
Without --console and --log the last megabytes are kept: see `crosvisor logs`.
The payload's output goes to standard output, unless --events is there. What --console
and --log write there too is mixed with it, as it comes.

Exit codes: the payload's own, 1 to 119, higher ones as 119; 0 the payload succeeded, or
the guest powered off without a word of one; 2 wrong usage or configuration; 6 the name
is taken; 120 crash; 121 hang-up; 122 reboot; 123 payload not verified; 124 --timeout ran
out; 125 start failed; 126 infrastructure error; 128 + n the VMM was killed by signal n.)";

/// A CLI::Validator's function: an empty text when all is well.
using text_check = std::function<std::string(const std::string&)>;

/// Keeps a whole number of the given range in `target`.
text_check whole_number(std::uint32_t low, std::uint32_t high,
                        std::optional<std::uint32_t>& target) {
  return [=, &target](const std::string& text) -> std::string {
    auto range = "; allowed is " + std::to_string(low) + " to " + std::to_string(high);
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos)
      return io::in_quotes(text) + " is not a whole number" + range;
    auto number = text.size() > 10 ? ~std::uint64_t{0} : std::stoull(text);
    if (number < low || number > high)
      return io::printable(text) + " is out of range" + range;
    target = static_cast<std::uint32_t>(number);
    return "";
  };
}

text_check seconds(std::optional<std::chrono::milliseconds>& target) {
  return [&target](const std::string& text) -> std::string {
    constexpr double longest = 365.0 * 24 * 3600;
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0.001)
        || value > longest)
      return io::in_quotes(text) + " is no time; allowed is 0.001 to 31536000 seconds";
    target = std::chrono::milliseconds{std::llround(value * 1000)};
    return "";
  };
}

/// One of an enumeration's words.
template <class Enum>
text_check word(const char* words, std::optional<Enum> (*parse)(const std::string&),
                std::optional<Enum>& target) {
  return [=, &target](const std::string& text) -> std::string {
    target = parse(text);
    return target ? "" : io::in_quotes(text) + " is not one of " + words;
  };
}

text_check vm_name_into(std::optional<std::string>& target) {
  return [&target](const std::string& text) -> std::string {
    if (!valid_vm_name(text)) {
      return io::in_quotes(text)
             + " is not a name; allowed are letters, digits, '.', '_' and '-', a "
               "letter first, at most "
             + std::to_string(max_name_bytes);
    }
    target = text;
    return "";
  };
}

/// The program's options, and the commands that they are read into.
class parser {
public:
  parser() {
    app_.set_version_flag("--version", std::string{"crosvisor "} + CROSVISOR_VERSION,
                          "Show the version and end");
    app_.set_help_flag("-h,--help", "Show this and end");
    app_.require_subcommand(1);
    app_.footer(program_footer);
    add_run(*app_.add_subcommand("run", "Run a VM and stay until it has ended"));
    add_info(*app_.add_subcommand("info", "Show what this host can do, and why not"));
    add_logs(*app_.add_subcommand("logs", "Show what a VM wrote, also after its end"));
  }

  command_line parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end()); // As CLI11 wants them.
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
      return text_answer{app_.help()};
    } catch (const CLI::CallForVersion& version) {
      return text_answer{std::string{version.what()} + '\n'};
    } catch (const CLI::Error& error) {
      return usage_error{sentence_of(error)};
    }
    if (app_.got_subcommand("run"))
      return check_run();
    if (app_.got_subcommand("info"))
      return info_;
    return logs_;
  }

private:
  CLI::Option* add(CLI::App& app, const char* name, const char* value, const char* what,
                   text_check check) {
    auto* option = app.add_option(name, unused_, what);
    option->type_name(value)->check(CLI::Validator{std::move(check), ""});
    return option;
  }

  void add_run(CLI::App& app) {
    app.footer(run_footer);
    app.add_option("CONFIG", run_.config_path, "The VM's configuration, a JSON file")
      ->required()
      ->type_name("FILE");
    add(app, "--name", "NAME", "What to call the VM", vm_name_into(run_.name));
    add(app, "--mem", "MIB", "The guest's memory",
        whole_number(min_memory_mib, max_memory_mib, run_.memory_mib));
    add(app, "--cpus", "N", "How many virtual CPUs", whole_number(1, max_cpus, run_.cpus));
    add(app, "--vmm", "auto|crosvm|qemu", "What runs the VM",
        word("auto, crosvm, qemu", parse_vmm_kind, run_.vmm));
    add(app, "--accel", "auto|kvm|tcg", "What executes the guest's instructions",
        word("auto, kvm, tcg", parse_accel_kind, run_.accel));
    for (auto [name, target, what] :
         {std::tuple{"--console", &run_.console, "console goes"},
          {"--log", &run_.log, "log port goes"},
          {"--payload-output", &run_.payload_output, "payload's output goes"},
          {"--events", &run_.events, "events go, one JSON object a line"}}) {
      app
        .add_option(name, *target, std::string{"Where the VM's "} + what + "; - is standard output")
        ->type_name("FILE|-")
        ->check(CLI::Validator{
          [](const std::string& text) { return text.empty() ? "needs a file" : ""; }, ""});
    }
    add(app, "--timeout", "SEC", "Stop the VM when it has run for so long", seconds(run_.timeout));
  }

  void add_info(CLI::App& app) {
    add(app, "-o,--output", "table|json", "How to print it", [this](const std::string& text) {
      info_.output = text == "json" ? output_format::json : output_format::table;
      return text == "json" || text == "table" ? ""
                                               : io::in_quotes(text) + " is not one of table, json";
    });
  }

  void add_logs(CLI::App& app) {
    app.add_option("VM", logs_.vm, "The VM's CID or name")->required()->type_name("CID|NAME");
    app.add_flag("-f,--follow", logs_.follow, "Stay, and show what comes");
    auto* log = app.add_flag_callback(
      "--log", [this] { logs_.log = "log"; }, "The guest's log port instead of its console");
    app
      .add_flag_callback(
        "--vmm", [this] { logs_.log = "vmm"; }, "The VMM's own words instead of the console")
      ->excludes(log);
  }

  command_line check_run() const {
    if (run_.events == "-" && (run_.console == "-" || run_.log == "-")) {
      return usage_error{
        "--events and --console or --log can't share standard output; give one a file"};
    }
    if (run_.events == "-" && run_.payload_output == "-") {
      return usage_error{
        "--events and --payload-output can't share standard output; give one a file"};
    }
    return run_;
  }

  const CLI::App& selected() const {
    auto chosen = app_.get_subcommands();
    return chosen.empty() ? app_ : *chosen.front();
  }

  /// CLI11's error as one sentence, with what was meant where that can be guessed.
  std::string sentence_of(const CLI::Error& error) const {
    auto see = selected().get_parent() == nullptr
                 ? std::string{"; see `crosvisor --help`"}
                 : "; see `crosvisor " + selected().get_name() + " --help`";
    auto extra = selected().remaining();
    if (!extra.empty())
      return unexpected(extra.front()) + see;
    if (&selected() == &app_)
      return "no command given" + see;
    return io::printable(error.what(), 400) + see;
  }

  std::string unexpected(const std::string& word) const {
    bool is_option = word.starts_with('-');
    bool wants_command = !is_option && &selected() == &app_;
    std::vector<std::string> known;
    if (wants_command) {
      for (const auto* command : app_.get_subcommands(nullptr))
        known.push_back(command->get_name());
    }
    if (is_option) {
      for (const auto* option : selected().get_options()) {
        for (const auto& name : option->get_lnames())
          known.push_back("--" + name);
      }
    }
    auto what = is_option ? "unknown option " : wants_command ? "unknown command " : "unexpected ";
    auto sentence = what + io::in_quotes(word.substr(0, word.find('=')));
    auto meant = io::nearest_word(word.substr(0, word.find('=')), known);
    return meant ? sentence + "; did you mean " + io::in_quotes(*meant) + '?' : sentence;
  }

  run_arguments run_;
  info_arguments info_;
  logs_arguments logs_;
  std::string unused_;
  CLI::App app_{"Runs virtual machines on Linux hosts, each watched by an actor.", "crosvisor"};
};

} // namespace

command_line parse_arguments(const std::vector<std::string>& arguments) {
  return parser{}.parse(arguments);
}

} // namespace crosvisor::cli
