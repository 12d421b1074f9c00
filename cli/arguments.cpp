// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/arguments.hpp"

#include "crosvisor/cli/argument_parts.hpp"
#include "crosvisor/io/config/nearest_word.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <utility>

namespace crosvisor::cli {

namespace {

constexpr const char* program_footer = R"(
CROSVISOR_CROSVM, CROSVISOR_QEMU and CROSVISOR_VSOCK name programs by absolute path,
CROSVISOR_NBDKIT_PLUGIN nbdkit's plugin for disks of partitions, CROSVISOR_OS_DIR the
folder of the operating systems for apps.
CROSVISOR_RUNTIME_DIR and CROSVISOR_STATE_DIR say where files go; without them to
/run/crosvisor and /var/lib/crosvisor for root, $XDG_RUNTIME_DIR/crosvisor and
$XDG_STATE_HOME/crosvisor or ~/.local/state/crosvisor for others.
CROSVISOR_LOG=debug|info|warn|error says what is logged; warn without it.
NO_COLOR turns colours off.)";

/// The program's options, and the commands that they are read into.
class parser {
public:
  parser() {
    app_.set_version_flag("--version", std::string{"crosvisor "} + CROSVISOR_VERSION,
                          "Show the version and end");
    app_.set_help_flag("-h,--help", "Show this and end");
    app_.require_subcommand(1);
    app_.footer(program_footer);
    add_run(command("run", "Run a VM and stay until it has ended"), run_);
    add_run_app(command("run-app", "Run an app's payload in a VM and stay until it has ended"),
                run_app_);
    add_create_partition(command("create-partition", "Make a new writable partition"), partition_);
    add_create_idsig(command("create-idsig", "Write the digest of an APK, or bring it up to date"),
                     idsig_);
    add_create_composite(command("create-composite", "Put a disk together from partitions"),
                         composite_);
    add_inspect(command("inspect", "Say what an image is, and whether it is sound"), inspect_);
    add_output_format(command("info", "Show what this host can do, and why not"), info_.output);
    add_logs(command("logs", "Show what a VM wrote, also after its end"));
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
    return chosen();
  }

private:
  CLI::App& command(const char* name, const char* what) { return *app_.add_subcommand(name, what); }

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

  template <class Arguments>
  static command_line checked(const Arguments& arguments) {
    if (auto conflict = find_conflict(arguments))
      return *conflict;
    return arguments;
  }

  command_line chosen() const {
    auto name = selected().get_name();
    if (name == "run")
      return checked(run_);
    if (name == "run-app")
      return checked(run_app_);
    if (name == "create-partition")
      return partition_;
    if (name == "create-idsig")
      return idsig_;
    if (name == "create-composite")
      return composite_;
    if (name == "inspect")
      return inspect_;
    if (name == "info")
      return info_;
    return logs_;
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
  run_app_arguments run_app_;
  create_partition_arguments partition_;
  create_idsig_arguments idsig_;
  create_composite_arguments composite_;
  inspect_arguments inspect_;
  info_arguments info_;
  logs_arguments logs_;
  CLI::App app_{"Runs virtual machines on Linux hosts, each watched by an actor.", "crosvisor"};
};

} // namespace

command_line parse_arguments(const std::vector<std::string>& arguments) {
  return parser{}.parse(arguments);
}

} // namespace crosvisor::cli
