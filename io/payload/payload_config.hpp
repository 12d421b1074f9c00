// SPDX-License-Identifier: Apache-2.0
// The configuration of a payload, a JSON file in its APK. The format is Android's (microdroid/
// payload/config/src/lib.rs at AOSP Virtualization 0a2484304d22 and 175a51b30123).
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

inline constexpr std::size_t max_payload_apexes = 64;
inline constexpr std::size_t max_payload_args = 64;
/// Of each text of a payload's configuration.
inline constexpr std::size_t max_payload_text_bytes = 4096;

enum class task_kind : std::uint8_t {
  executable,          ///< The command is a program.
  microdroid_launcher, ///< The command is a shared library of the APK's, to be loaded and entered.
};

/// What the guest runs.
struct payload_task {
  task_kind kind = task_kind::executable;
  std::string command;
  std::vector<std::string> args; ///< Of 2021; ignored since 2022.
};

struct payload_config {
  std::string os_name;              ///< Empty: not stated.
  std::optional<payload_task> task; ///< Missing: the guest comes up and runs nothing.
  std::vector<std::string> apexes;  ///< Names, in the order of the file, some maybe twice.
  std::vector<std::string> extra_apks;
  bool prefer_staged = false;
  std::optional<bool> export_tombstones; ///< Missing: where the VM can be debugged.
  bool enable_authfs = false;
  bool hugepages = false;
};

/// Reads a payload's configuration, of 2021 or later. Strict JSON of at most max_json_bytes. Keys
/// that nobody knows are ignored, as Android does, so that a configuration for a later version runs
/// on an earlier one; values of the wrong type are not.
/// @param file_name what errors call the file: `assets/vm_config.json:3:5: task.command: missing`.
result<payload_config> parse_payload_config(std::string_view text, const std::string& file_name);

} // namespace crosvisor::io
