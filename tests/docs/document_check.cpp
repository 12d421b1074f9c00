// SPDX-License-Identifier: Apache-2.0
// Holds what documents say against the programs: examples, keys of configurations, and names.
#include "crosvisor/cli/arguments.hpp"
#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/io/config/vm_config_file.hpp"
#include "crosvisor/io/payload/apex_list.hpp"
#include "crosvisor/io/payload/os_definition.hpp"
#include "crosvisor/io/payload/payload_config.hpp"
#include "crosvisor/messages/vm_event.hpp"
#include "crosvisor/service/daemon/daemon_arguments.hpp"
#include "crosvisor/service/daemon/daemon_config.hpp"

#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <set>

namespace {

using namespace crosvisor;
using words = std::vector<std::string>;

constexpr const char* usage =
  "usage: crosvisor-document-check FORMAT FILE        is it sound? FORMAT: vm, daemon, os, app, "
  "apexes\n"
  "       crosvisor-document-check keys FORMAT        every key; standard input: words that may "
  "be\n"
  "       crosvisor-document-check names WHAT         every name of: events, reasons, states\n"
  "       crosvisor-document-check command WORD...    does the program take this command line?\n";

/// What is wrong with a text; empty where nothing is.
using checker = std::function<std::string(const std::string& text, const std::string& name)>;

template <class Parse>
checker by(Parse parse) {
  return [parse](const std::string& text, const std::string& name) {
    auto parsed = parse(text, name);
    return parsed ? std::string{} : parsed.why().what;
  };
}

const std::map<std::string, checker> formats{
  {"vm", by(io::parse_vm_config)},
  {"daemon", by(parse_daemon_config)},
  {"os", by(io::parse_os_definition)},
  {"app", by(io::parse_payload_config)},
  {"apexes", by(io::parse_apex_map)},
  {"data", by([](const std::string& text, const std::string& name) {
     return io::parse_json(io::json_source{text, name});
   })},
};

int said(const std::string& problem) {
  if (problem.empty())
    return 0;
  std::cout << problem << '\n';
  return 1;
}

int check_file(const checker& check, const std::string& path) {
  std::ifstream file{path};
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  return file ? said(check(text, path)) : said(path + ": can't be read");
}

// -- keys ----------------------------------------------------------------------

/// Finds out by asking: a key is one that is not called unknown.
class key_search {
public:
  key_search(checker check, std::set<std::string> candidates)
      : check_(std::move(check)), candidates_(std::move(candidates)) {}

  /// @param path what stands before the key in the document, `{"disks":[`, and what behind it.
  void search(const std::string& front, const std::string& back, const std::string& name) const {
    for (const auto& key : candidates_) {
      if (is_unknown(front, key, back))
        continue;
      auto path = name.empty() ? key : name + '.' + key;
      auto in_object = front + "{\"" + key + "\":";
      if (is_unknown(in_object, nobodys, "}" + back))
        search(in_object, "}" + back, path);
      else if (is_unknown(in_object + '[', nobodys, "]}" + back))
        search(in_object + '[', "]}" + back, path + "[]");
      else
        std::cout << path << '\n';
    }
  }

private:
  static constexpr const char* nobodys = "no key has such a name";

  bool is_unknown(const std::string& front, const std::string& key, const std::string& back) const {
    auto problem = check_(front + "{\"" + key + "\":null}" + back, "document");
    return problem.find("unknown key \"" + key + '"') != std::string::npos;
  }

  checker check_;
  std::set<std::string> candidates_;
};

int print_keys(const checker& check) {
  std::set<std::string> candidates{std::istream_iterator<std::string>{std::cin}, {}};
  key_search{check, candidates}.search("", "", "");
  return 0;
}

// -- names -----------------------------------------------------------------------

/// Those of an enumeration whose values a byte holds.
template <class Enum>
int print_names() {
  for (int value = 0; value <= UINT8_MAX; ++value)
    if (auto name = to_string(static_cast<Enum>(value)); name != "invalid")
      std::cout << name << '\n';
  return 0;
}

const std::map<std::string, int (*)()> enumerations{
  {"events", print_names<vm_event_kind>},
  {"reasons", print_names<death_reason>},
  {"states", print_names<vm_state>},
};

// -- command lines ---------------------------------------------------------------

int check_command(const words& line) {
  words arguments{line.begin() + 1, line.end()};
  if (line[0] == "crosvisor") {
    auto parsed = cli::parse_arguments(arguments);
    const auto* wrong = std::get_if<cli::usage_error>(&parsed);
    return said(wrong == nullptr ? "" : wrong->what);
  }
  if (line[0] != "crosvisord")
    return said(line[0] + ": no program of ours");
  auto parsed = parse_daemon_arguments(arguments);
  const auto* wrong = std::get_if<daemon_misuse>(&parsed);
  return said(wrong == nullptr ? "" : wrong->what);
}

int run(const words& arguments) {
  if (arguments.size() >= 2 && arguments[0] == "command")
    return check_command({arguments.begin() + 1, arguments.end()});
  if (arguments.size() == 2 && arguments[0] == "keys" && formats.count(arguments[1]) != 0)
    return print_keys(formats.at(arguments[1]));
  if (arguments.size() == 2 && arguments[0] == "names" && enumerations.count(arguments[1]) != 0)
    return enumerations.at(arguments[1])();
  if (arguments.size() == 2 && formats.count(arguments[0]) != 0)
    return check_file(formats.at(arguments[0]), arguments[1]);
  std::cerr << usage;
  return 2;
}

} // namespace

int main(int argc, char** argv) {
  return run({argv + 1, argv + argc});
}
