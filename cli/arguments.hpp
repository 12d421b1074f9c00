// SPDX-License-Identifier: Apache-2.0
// The command line: what was typed, as values.
#pragma once

#include "crosvisor/messages/vm_config.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace crosvisor::cli {

/// `crosvisor run`: each value that was given replaces the configuration file's.
struct run_arguments {
  std::string config_path;
  std::optional<std::string> name;
  std::optional<std::uint32_t> memory_mib;
  std::optional<std::uint32_t> cpus;
  std::optional<vmm_kind> vmm;
  std::optional<accel_kind> accel;
  /// Files to write; `-` is standard output, empty is none.
  std::string console;
  std::string log;
  std::string events;
  /// The payload's output; empty: see output_path().
  std::string payload_output;
  /// None: the VM may run for as long as it likes.
  std::optional<std::chrono::milliseconds> timeout;

  /// Where the payload's output goes: what was given, else standard output, unless the events have
  /// that for themselves; then nowhere.
  std::string output_path() const {
    if (!payload_output.empty())
      return payload_output;
    return events == "-" ? "" : "-";
  }
};

/// How data is printed.
enum class output_format : std::uint8_t { table, json };

/// `crosvisor info`.
struct info_arguments {
  output_format output = output_format::table;
};

/// `crosvisor logs`.
struct logs_arguments {
  std::string vm; ///< A CID or a name.
  bool follow = false;
  /// The kept log's name.
  std::string log = "console";
};

/// A text that was asked for: help or the version.
struct text_answer {
  std::string text;
};

/// What is wrong with the command line; one sentence that says what to do.
struct usage_error {
  std::string what;
};

using command_line =
  std::variant<run_arguments, info_arguments, logs_arguments, text_answer, usage_error>;

/// Reads the arguments that follow the program's name. Opens nothing.
command_line parse_arguments(const std::vector<std::string>& arguments);

} // namespace crosvisor::cli
