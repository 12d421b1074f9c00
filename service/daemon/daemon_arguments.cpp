// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_arguments.hpp"

#include "crosvisor/io/config/nearest_word.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <utility>

namespace crosvisor {

namespace {

constexpr const char* footer = R"(
Example:
  crosvisord --config /etc/crosvisor/crosvisor.json --check

Without --config the configuration is /etc/crosvisor/crosvisor.json, or with --user
$XDG_CONFIG_HOME/crosvisor/crosvisor.json; where that file is missing, the defaults.
Clients connect to /run/crosvisor/crosvisord.sock, or with --user to
$XDG_RUNTIME_DIR/crosvisor/crosvisord.sock, unless the configuration says otherwise.
CROSVISOR_RUNTIME_DIR and CROSVISOR_STATE_DIR say where files go, as for crosvisor.

SIGTERM and SIGINT stop all VMs and end the daemon, a second one at once; SIGHUP reads
the configuration anew. It ends with 0 when it was stopped, 2 when its command line or
configuration is wrong, 1 when it can't start or go on.)";

/// What is wrong, with what was meant where that can be guessed.
std::string sentence_of(const CLI::App& app, const CLI::Error& error) {
  constexpr const char* see = "; see `crosvisord --help`";
  auto extra = app.remaining();
  if (extra.empty())
    return io::printable(error.what(), 400) + see;
  auto word = extra.front().substr(0, extra.front().find('='));
  if (!word.starts_with('-'))
    return "unexpected " + io::in_quotes(word) + see;
  std::vector<std::string> known;
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames())
      known.push_back("--" + name);
  auto sentence = "unknown option " + io::in_quotes(word);
  auto meant = io::nearest_word(word, known);
  return meant ? sentence + "; did you mean " + io::in_quotes(*meant) + '?' : sentence + see;
}

void add_arguments(CLI::App& app, daemon_arguments& target) {
  app.set_version_flag("--version", std::string{"crosvisord "} + CROSVISOR_VERSION,
                       "Show the version and end");
  app.set_help_flag("-h,--help", "Show this and end");
  app.footer(footer);
  app.add_option("--config", target.config, "The configuration; it must be there")
    ->type_name("FILE");
  app.add_flag("--check", target.check, "Say whether the configuration is sound, and end");
  app.add_flag("--user", target.user, "Serve the user who runs it alone");
}

constexpr const char* description = "Runs virtual machines for the users of this host.";

} // namespace

daemon_command parse_daemon_arguments(std::vector<std::string> arguments) {
  daemon_arguments parsed;
  CLI::App app{description, "crosvisord"};
  add_arguments(app, parsed);
  std::reverse(arguments.begin(), arguments.end()); // As CLI11 wants them.
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return daemon_text{app.help()};
  } catch (const CLI::CallForVersion& version) {
    return daemon_text{std::string{version.what()} + '\n'};
  } catch (const CLI::Error& error) {
    return daemon_misuse{sentence_of(app, error)};
  }
  if (parsed.config && parsed.config->empty())
    return daemon_misuse{"--config: expected the path of a file; see `crosvisord --help`"};
  return parsed;
}

void visit_daemon_program(const std::function<void(const CLI::App&)>& visit) {
  daemon_arguments unused;
  CLI::App app{description, "crosvisord"};
  add_arguments(app, unused);
  visit(app);
}

} // namespace crosvisor
