// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/docs/pages/command_pages.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

namespace crosvisor::pages {

namespace {

using lines = std::vector<std::string>;

struct command {
  std::string name; ///< As it is typed, with the program's.
  const CLI::App* app = nullptr;
};

/// Those that do something, in the order of --help; a command of commands is none itself.
void add_commands(const CLI::App& app, const std::string& prefix, std::vector<command>& found) {
  auto name = prefix.empty() ? app.get_name() : prefix + ' ' + app.get_name();
  auto inner = app.get_subcommands(nullptr);
  if (inner.empty())
    found.push_back({name, &app});
  for (const auto* sub : inner)
    add_commands(*sub, name, found);
}

std::vector<command> commands_of(const CLI::App& program) {
  std::vector<command> found;
  add_commands(program, "", found);
  return found;
}

bool is_help(const CLI::Option& option) {
  return option.check_lname("help") || option.check_lname("version");
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  return app.get_options(
    [](const CLI::Option* option) { return option->nonpositional() && !is_help(*option); });
}

std::vector<const CLI::Option*> positionals_of(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

/// What is text for people, and no Markdown but for its code spans.
std::string escaped(const std::string& text) {
  std::string out;
  bool code = false;
  for (char c : text) {
    if (c == '`')
      code = !code;
    if (!code && c == '<')
      out += "&lt;";
    else if (!code && (c == '*' || c == '_' || c == '[' || c == ']'))
      out += std::string{'\\'} + c;
    else
      out += c;
  }
  return out;
}

/// `-o`, `--output` *table|json*
std::string term_of(const CLI::Option& option) {
  std::string term;
  for (const auto& name : option.get_snames())
    term += (term.empty() ? "`-" : ", `-") + name + '`';
  for (const auto& name : option.get_lnames())
    term += (term.empty() ? "`--" : ", `--") + name + '`';
  if (term.empty())
    return '`' + option.get_name(true) + '`';
  auto value = option.get_type_name();
  return value.empty() || option.get_items_expected_max() == 0 ? term : term + " `" + value + '`';
}

std::string names_of(const std::set<CLI::Option*>& options) {
  std::string names;
  for (const auto* option : options)
    names += (names.empty() ? "`" : ", `") + option->get_name(option->get_positional()) + '`';
  return names;
}

std::string words_of(const CLI::Option& option) {
  auto words = escaped(option.get_description());
  if (option.get_positional() && option.get_type_name() != option.get_name(true))
    words += " (`" + option.get_type_name() + "`)";
  if (!option.get_needs().empty())
    words += ". Goes with " + names_of(option.get_needs());
  if (!option.get_excludes().empty())
    words += ". Not with " + names_of(option.get_excludes());
  return words + '.';
}

/// What makes two commands' options one and the same for a reader.
std::string identity_of(const CLI::Option& option) {
  return term_of(option) + words_of(option);
}

using identities = std::set<std::string>;

identities identities_of(const std::vector<const CLI::Option*>& options) {
  identities all;
  for (const auto* option : options)
    all.insert(identity_of(*option));
  return all;
}

/// Those that more than half of the commands have.
identities shared_options(const std::vector<command>& commands) {
  std::map<std::string, std::size_t> counts;
  for (const auto& each : commands)
    for (const auto& option : identities_of(options_of(*each.app)))
      ++counts[option];
  identities shared;
  for (const auto& [option, count] : counts)
    if (count * 2 > commands.size())
      shared.insert(option);
  return shared;
}

void add_definition(const CLI::Option& option, lines& out) {
  out.insert(out.end(), {term_of(option), ":   " + words_of(option), ""});
}

std::string synopsis_of(const command& each) {
  auto text = each.name;
  if (!options_of(*each.app).empty())
    text += " [OPTION...]";
  for (const auto* option : positionals_of(*each.app)) {
    auto word = option->get_name(true);
    if (option->get_items_expected_max() > 1)
      word += "...";
    text += ' ' + (option->get_required() ? word : '[' + word + ']');
  }
  return text;
}

/// --help's last words: examples, which are indented, and paragraphs.
void add_footer(const std::string& footer, lines& out) {
  std::istringstream text{footer};
  bool in_example = false;
  for (std::string line; std::getline(text, line);) {
    bool is_example = line.starts_with("  ");
    if (is_example && !in_example)
      out.insert(out.end(), {"", "```sh"});
    if (!is_example && in_example)
      out.emplace_back("```");
    in_example = is_example;
    out.push_back(is_example ? line.substr(2) : escaped(line));
  }
  if (in_example)
    out.emplace_back("```");
  out.emplace_back();
}

/// A command with at least so many options of its own, all of which another has too, is named there
/// instead of them.
constexpr std::size_t many_options = 5;

class section_writer {
public:
  explicit section_writer(const std::vector<command>& commands)
      : shared_(shared_options(commands)) {}

  /// Those of the first command that has them all.
  void write_shared(const std::vector<command>& commands, lines& out) const {
    out.insert(out.end(), {"## Options of most commands", ""});
    identities missing = shared_;
    for (const auto& each : commands)
      for (const auto* option : options_of(*each.app))
        if (missing.erase(identity_of(*option)) != 0)
          add_definition(*option, out);
  }

  void write(const command& each, lines& out) {
    out.insert(out.end(), {"## " + each.name, "", "```text", synopsis_of(each), "```", "",
                           escaped(each.app->get_description()) + '.', ""});
    for (const auto* option : positionals_of(*each.app))
      add_definition(*option, out);
    write_options(each, out);
    add_footer(each.app->get_footer(), out);
  }

private:
  void write_options(const command& each, lines& out) {
    auto options = options_of(*each.app);
    auto all = identities_of(options);
    auto is_part = [&](const auto& earlier) {
      return std::includes(all.begin(), all.end(), earlier.second.begin(), earlier.second.end());
    };
    auto base = std::find_if(earlier_.begin(), earlier_.end(), is_part);
    identities own;
    for (const auto* option : options) {
      auto identity = identity_of(*option);
      bool of_base = base != earlier_.end() && base->second.count(identity) != 0;
      if (shared_.count(identity) != 0 || of_base)
        continue;
      own.insert(identity);
      add_definition(*option, out);
    }
    if (base != earlier_.end())
      out.insert(out.end(), {"And all options of `" + base->first + "`.", ""});
    if (own.size() >= many_options && base == earlier_.end())
      earlier_.emplace_back(each.name, std::move(own));
    write_mention(all, out);
  }

  void write_mention(const identities& all, lines& out) const {
    bool has_them = std::includes(all.begin(), all.end(), shared_.begin(), shared_.end());
    if (!has_them)
      out.insert(out.end(), {"It has none of the options of most commands.", ""});
  }

  identities shared_;
  std::vector<std::pair<std::string, identities>> earlier_;
};

} // namespace

std::vector<std::string> command_sections(const CLI::App& program) {
  auto commands = commands_of(program);
  section_writer writer{commands};
  lines out;
  writer.write_shared(commands, out);
  for (const auto& each : commands)
    writer.write(each, out);
  return out;
}

std::vector<std::string> command_words(const CLI::App& program) {
  lines words;
  for (const auto& each : commands_of(program)) {
    words.push_back(each.name);
    for (const auto* option : options_of(*each.app))
      words.push_back(each.name + " --" + option->get_lnames().front());
  }
  return words;
}

} // namespace crosvisor::pages
