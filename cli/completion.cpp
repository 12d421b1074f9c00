// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/completion.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <utility>

namespace crosvisor::cli {

namespace {

constexpr std::string_view word_letters = "abcdefghijklmnopqrstuvwxyz0123456789_|";

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts{""};
  for (char c : text) {
    if (c == at)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::string name_of(const CLI::Option& option) {
  return option.get_lnames().empty() ? option.get_name() : "--" + option.get_lnames().front();
}

/// The command line up to the word that is being typed.
class typed_line {
public:
  typed_line(const CLI::App& program, const name_source& names) : app_(&program), names_(names) {}

  void take(const std::string& word) {
    if (word == "=" && pending_ != nullptr)
      return;
    if (pending_ != nullptr)
      take_value(*std::exchange(pending_, nullptr), word);
    else if (only_positionals_ || word.empty() || word[0] != '-')
      take_plain(word);
    else if (word == "--")
      only_positionals_ = true;
    else
      take_option(word);
  }

  completions complete(const std::string& word) {
    if (pending_ != nullptr)
      return values(*pending_, "", word == "=" ? "" : word);
    auto equals = word.find('=');
    if (only_positionals_ || word.empty() || word[0] != '-')
      return plain(word);
    if (equals == std::string::npos)
      return options(word);
    const auto* option = find_option(word.substr(0, equals));
    return option == nullptr ? completions{}
                             : values(*option, word.substr(0, equals + 1), word.substr(equals + 1));
  }

private:
  const CLI::Option* find_option(const std::string& name) const {
    const CLI::Option* found = nullptr;
    for (const auto* option : app_->get_options())
      if (option->nonpositional() && option->check_name(name))
        found = option;
    return found;
  }

  static bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

  void take_option(const std::string& word) {
    auto equals = word.find('=');
    const auto* option = find_option(word.substr(0, equals));
    if (option == nullptr || !takes_value(*option))
      return;
    if (equals == std::string::npos)
      pending_ = option;
    else
      take_value(*option, word.substr(equals + 1));
  }

  /// Where the service is must be known to ask it.
  void take_value(const CLI::Option& option, const std::string& value) {
    for (auto [name, target] : {std::pair{"connect", &connect_.where},
                                {"certificate", &connect_.certificate},
                                {"key", &connect_.key},
                                {"ca", &connect_.ca}})
      if (option.check_lname(name))
        *target = value;
  }

  void take_plain(const std::string& word) {
    auto commands = app_->get_subcommands(nullptr);
    auto command = std::find_if(commands.begin(), commands.end(),
                                [&](const auto* each) { return each->check_name(word); });
    if (command == commands.end() || only_positionals_)
      ++positionals_;
    else
      app_ = *command;
  }

  completions plain(const std::string& word) const {
    completions found;
    for (const auto* command : app_->get_subcommands(nullptr))
      add(found, {command->get_name(), command->get_description()}, word);
    auto positionals =
      app_->get_options([](const auto* option) { return option->get_positional(); });
    if (positionals.empty())
      return found;
    auto at = std::min(positionals_, positionals.size() - 1);
    bool repeats = positionals[at]->get_items_expected_max() > 1;
    return at == positionals_ || repeats ? values(*positionals[at], "", word) : found;
  }

  completions options(const std::string& word) const {
    completions found;
    for (const auto* option : app_->get_options())
      if (option->nonpositional())
        add(found, {name_of(*option), option->get_description()}, word);
    return found;
  }

  /// @param front what stands before the value in its own word.
  completions values(const CLI::Option& option, const std::string& front,
                     const std::string& word) const {
    auto type = option.get_type_name();
    auto kind = value_kind_of(type).value_or(value_kind::other);
    completions found;
    found.files = kind == value_kind::file;
    if (kind == value_kind::word)
      for (const auto& each : split(type, '|'))
        add(found, {each, ""}, word, front);
    if (kind == value_kind::vm || kind == value_kind::image)
      for (const auto& each : names_(kind, connect_))
        add(found, each, word, front);
    return found;
  }

  static void add(completions& found, const candidate& each, const std::string& word,
                  const std::string& front = "") {
    if (each.word.starts_with(word))
      found.words.push_back({front + each.word, each.what});
  }

  const CLI::App* app_;
  const name_source& names_;
  const CLI::Option* pending_ = nullptr; ///< Its value comes next.
  bool only_positionals_ = false;        ///< Behind `--`.
  std::size_t positionals_ = 0;          ///< Of the command so far.
  connect_arguments connect_;
};

} // namespace

std::optional<value_kind> value_kind_of(const std::string& type_name) {
  constexpr std::pair<std::string_view, value_kind> kinds[] = {
    {"CID|NAME", value_kind::vm}, {"FILE", value_kind::file},   {"FILE|-", value_kind::file},
    {"APK", value_kind::file},    {"IMAGE", value_kind::image}, {"IMAGE...", value_kind::image},
  };
  constexpr std::string_view others[] = {
    "MIB",  "N",    "SEC",      "SIZE", "SIZE[K|M|G|T]", "PATH",
    "PORT", "NAME", "ENDPOINT", "WORD", "NAME...",       "LABEL:FILE[:writable][:GUID]"};
  for (const auto& [name, kind] : kinds)
    if (type_name == name)
      return kind;
  if (std::find(std::begin(others), std::end(others), type_name) != std::end(others))
    return value_kind::other;
  if (type_name.find('|') != std::string::npos
      && type_name.find_first_not_of(word_letters) == std::string::npos)
    return value_kind::word;
  return std::nullopt;
}

completions complete(const CLI::App& program, const std::vector<std::string>& words,
                     const name_source& names) {
  typed_line line{program, names};
  if (words.empty())
    return line.complete("");
  std::for_each(words.begin(), words.end() - 1, [&](const auto& word) { line.take(word); });
  return line.complete(words.back());
}

} // namespace crosvisor::cli
