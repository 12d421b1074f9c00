// SPDX-License-Identifier: Apache-2.0
// What may stand next on a command line that is being typed, for shells.
#pragma once

#include "crosvisor/cli/arguments.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace crosvisor::cli {

/// What a value is, as far as it can be completed.
enum class value_kind : std::uint8_t {
  word,  ///< One of those that its name has, with bars between: `table|json`.
  file,  ///< A path.
  vm,    ///< A CID or a name.
  image, ///< The name of an image in a daemon's store.
  other, ///< Nothing that could be guessed.
};

/// By the name that --help has for the value, `FILE`; nothing for a name that is not known here.
std::optional<value_kind> value_kind_of(const std::string& type_name);

struct candidate {
  std::string word;
  std::string what; ///< For people; may be empty.
};

struct completions {
  std::vector<candidate> words;
  bool files = false; ///< Paths, too, which the shell knows better.
};

/// What is asked of a daemon: the VMs or images that there are, at the service that was named on
/// the line so far. Empty where there is none, or it does not answer at once.
using name_source = std::function<std::vector<candidate>(value_kind, const connect_arguments&)>;

/// What the last of `words`, which may be empty, can become; the others were typed before it. A
/// single `=` stands between an option and its value, as bash has it.
completions complete(const CLI::App& program, const std::vector<std::string>& words,
                     const name_source& names);

/// The command `__complete WORD...`, which shells call and --help does not show: prints a line for
/// each word, with what it is behind a tab, and at last `:files` where paths are wanted. What fails
/// is silent.
int print_completions(const std::vector<std::string>& words);

} // namespace crosvisor::cli
