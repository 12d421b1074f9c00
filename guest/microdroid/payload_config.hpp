// SPDX-License-Identifier: Apache-2.0
// A payload's configuration: an entry of its APK, such as assets/vm_config.json, as Android has it.
#pragma once

#include "outcome.hpp"

#include <cstddef>

namespace crosvisor::guest {

/// What is to be run.
struct task {
  static constexpr int most_arguments = 64;

  bool launched = false;         ///< By `microdroid_launcher`: the command is a file of lib/<abi>/.
  const char* command = nullptr; ///< Else a path; one that is not absolute is of the APK.
  const char* arguments[most_arguments] = {};
  int argument_count = 0;
};

inline constexpr std::size_t most_config = 1u << 20;

/// Reads what a configuration says of its task; the rest of it is the host's affair. Changes the
/// text: the task points into it. Bad ones are cause::invalid_config.
outcome read_payload_config(char* text, std::size_t size, task& found);

/// Whether it names a file in a folder, and not a way to elsewhere.
bool is_file_name(const char* name);

} // namespace crosvisor::guest
