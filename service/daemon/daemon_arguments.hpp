// SPDX-License-Identifier: Apache-2.0
// The command line of crosvisord.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace CLI {
class App;
}

namespace crosvisor {

struct daemon_arguments {
  std::optional<std::string> config; ///< `--config`
  bool check = false;                ///< `--check`
  bool user = false;                 ///< `--user`
};

/// What is to be printed instead of anything else.
struct daemon_text {
  std::string text;
};

/// What is wrong with the command line, as one sentence.
struct daemon_misuse {
  std::string what;
};

using daemon_command = std::variant<daemon_arguments, daemon_text, daemon_misuse>;

/// @param arguments without the program's name.
daemon_command parse_daemon_arguments(std::vector<std::string> arguments);

/// Shows the options as they are read.
void visit_daemon_program(const std::function<void(const CLI::App&)>& visit);

} // namespace crosvisor
