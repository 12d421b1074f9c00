// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/arguments.hpp"

#include "crosvisor/cli/argument_parts.hpp"
#include "crosvisor/io/config/nearest_word.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <type_traits>
#include <utility>

namespace crosvisor::cli {

namespace {

constexpr const char* program_footer = R"(
Each command has a --help with an example.

CROSVISOR_CONNECT says where the service is, as --connect does: unix:PATH, tls://HOST[:PORT]
or embedded:. Without them it is the user's daemon, else the host's, where there is one; else
`run`, `run-app` and `create-*` do their work in this process. CROSVISOR_CERTIFICATE,
CROSVISOR_KEY and CROSVISOR_CA name the files for tls.
CROSVISOR_CROSVM, CROSVISOR_QEMU and CROSVISOR_VSOCK name programs by absolute path,
CROSVISOR_NBDKIT_PLUGIN nbdkit's plugin for disks of partitions, CROSVISOR_OS_DIR the
folder of the operating systems for apps.
CROSVISOR_RUNTIME_DIR and CROSVISOR_STATE_DIR say where files go; without them to
/run/crosvisor and /var/lib/crosvisor for root, $XDG_RUNTIME_DIR/crosvisor and
$XDG_STATE_HOME/crosvisor or ~/.local/state/crosvisor for others.
CROSVISOR_LOG=debug|info|warn|error says what is logged; warn without it.
NO_COLOR turns colours off.

Exit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 not found; 4 denied; 5 timed
out; 6 conflict. `run` and `run-app` have more.)";

constexpr const char* image_footer = R"(
Each of them has a --help with an example.

A daemon stores images for clients on other hosts above all, which can't hand it files: a
configuration that names image:disk.img has the daemon's image of that name. Each user's
are their own.)";

/// The program's options, and the commands that they are read into.
class parser {
public:
  parser() {
    app_.set_version_flag("--version", std::string{"crosvisor "} + CROSVISOR_VERSION,
                          "Show the version and end");
    app_.set_help_flag("-h,--help", "Show this and end");
    app_.require_subcommand(1);
    app_.footer(program_footer);
    add("run", "Run a VM and stay until it has ended", run_);
    add("run-app", "Run an app's payload in a VM and stay until it has ended", run_app_);
    add_vm_commands();
    add("create-partition", "Make a new writable partition", partition_);
    add("create-idsig", "Write the digest of an APK, or bring it up to date", idsig_);
    add("create-composite", "Put a disk together from partitions", composite_);
    add_image_commands();
    add("inspect", "Say what an image is, and whether it is sound", inspect_);
    add("info", "Show what there is to know of a VM, or what this host can do", info_);
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
    return chosen_.at(words_of(selected()))();
  }

private:
  void add_vm_commands() {
    add("list", "Show the VMs", list_);
    add_verb(vm_verb::start, "start", "Start a VM that was only created");
    add("stop", "Stop a VM, and wait until it is dead", stop_);
    add_verb(vm_verb::suspend, "suspend", "Halt a VM's processors");
    add_verb(vm_verb::resume, "resume", "Let them go on");
    add("balloon", "Show or set how much memory is taken from a guest", balloon_);
    add("watch", "Show what happens to VMs, as it happens", watch_);
    add_logs(command("console", "Show what a VM wrote to its console", console_), console_,
             "console");
    add_logs(command("logs", "Show what a VM wrote, also after its end", logs_), logs_, "logs");
    add("connect", "Connect standard input and output to a guest's port", port_);
    add_verb(vm_verb::hold, "hold", "Keep a VM though nobody uses it");
    add_verb(vm_verb::drop, "drop", "Let go of a VM that is held");
    add("pass", "Print a word with which somebody else may use a VM", pass_);
    add("take", "Use a VM that somebody passed", take_);
    add("drain", "Stop every VM, and have the daemon create none", drain_);
  }

  void add_image_commands() {
    auto& images = *app_.add_subcommand("image", "Store images with a daemon, and fetch them");
    images.require_subcommand(1);
    images.footer(image_footer);
    auto add_one = [&](const char* name, const char* what, auto& target) {
      auto& one = *images.add_subcommand(name, what);
      chosen_[std::string{"image "} + name] = [&target] { return checked(target); };
      add_arguments(one, target);
    };
    add_one("push", "Store a file, or go on with one that was begun", push_);
    add_one("pull", "Fetch an image into a file", pull_);
    add_one("list", "Show the images", image_list_);
    add_one("remove", "Remove images, or what was begun of one", remove_);
  }

  template <class Arguments>
  CLI::App& command(const char* name, const char* what, Arguments& target) {
    chosen_[name] = [&target] { return checked(target); };
    return *app_.add_subcommand(name, what);
  }

  template <class Arguments>
  void add(const char* name, const char* what, Arguments& target) {
    add_arguments(command(name, what, target), target);
  }

  void add_verb(vm_verb verb, const char* name, const char* what) {
    verbs_[verb].verb = verb;
    add(name, what, verbs_[verb]);
  }

  template <class Arguments>
  static command_line checked(Arguments& arguments) {
    if constexpr (std::is_same_v<
                    Arguments,
                    image_push_arguments> || std::is_same_v<Arguments, image_pull_arguments>) {
      if (auto problem = complete(arguments))
        return *problem;
    }
    if constexpr (std::is_base_of_v<run_options, Arguments>) {
      if (auto conflict = find_conflict(arguments))
        return *conflict;
    }
    return arguments;
  }

  const CLI::App& selected() const {
    const auto* last = &app_;
    for (auto chosen = last->get_subcommands(); !chosen.empty(); chosen = last->get_subcommands())
      last = chosen.front();
    return *last;
  }

  /// `list`, `image push`.
  std::string words_of(const CLI::App& command) const {
    const auto* above = command.get_parent();
    return above == nullptr || above == &app_ ? command.get_name()
                                              : words_of(*above) + ' ' + command.get_name();
  }

  /// CLI11's error as one sentence, with what was meant where that can be guessed.
  std::string sentence_of(const CLI::Error& error) const {
    auto see = selected().get_parent() == nullptr
                 ? std::string{"; see `crosvisor --help`"}
                 : "; see `crosvisor " + words_of(selected()) + " --help`";
    auto extra = selected().remaining();
    if (!extra.empty())
      return unexpected(extra.front()) + see;
    if (&selected() == &app_ || !selected().get_subcommands(nullptr).empty())
      return "no command given" + see;
    return io::printable(error.what(), 400) + see;
  }

  std::string unexpected(const std::string& word) const {
    bool is_option = word.starts_with('-');
    auto commands = selected().get_subcommands(nullptr);
    bool wants_command = !is_option && !commands.empty();
    std::vector<std::string> known;
    if (wants_command) {
      for (const auto* command : commands)
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
  std::map<vm_verb, verb_arguments> verbs_;
  stop_arguments stop_;
  list_arguments list_;
  watch_arguments watch_;
  port_arguments port_;
  balloon_arguments balloon_;
  pass_arguments pass_;
  take_arguments take_;
  drain_arguments drain_;
  image_push_arguments push_;
  image_pull_arguments pull_;
  image_list_arguments image_list_;
  image_remove_arguments remove_;
  logs_arguments console_;
  logs_arguments logs_;
  create_partition_arguments partition_;
  create_idsig_arguments idsig_;
  create_composite_arguments composite_;
  inspect_arguments inspect_;
  info_arguments info_;
  /// What was read for each command, by its name.
  std::map<std::string, std::function<command_line()>> chosen_;
  CLI::App app_{"Runs virtual machines on Linux hosts, each watched by an actor.", "crosvisor"};
};

} // namespace

command_line parse_arguments(const std::vector<std::string>& arguments) {
  return parser{}.parse(arguments);
}

} // namespace crosvisor::cli
