// SPDX-License-Identifier: Apache-2.0
// The command line: what was typed, as values.
#pragma once

#include "crosvisor/messages/door_messages.hpp"
#include "crosvisor/messages/image_spec.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace crosvisor::cli {

/// Where the service is; what is empty is the environment's.
struct connect_arguments {
  std::string where;
  std::string certificate;
  std::string key;
  std::string ca;
};

/// What `crosvisor run` and `crosvisor run-app` have in common; each value that was given replaces
/// the configuration's.
struct run_options {
  /// What errors are about: the configuration file, the APK.
  std::string subject;
  std::optional<std::string> name;
  std::optional<std::uint32_t> memory_mib;
  std::optional<std::uint32_t> cpus;
  std::optional<vmm_kind> vmm;
  std::optional<accel_kind> accel;
  std::optional<restart_policy> restart;
  /// Files to write; `-` is standard output, empty is none.
  std::string console;
  std::string log;
  std::string events;
  /// The payload's output; empty: see output_path().
  std::string payload_output;
  /// None: the VM may run for as long as it likes.
  std::optional<std::chrono::milliseconds> timeout;
  /// The VM is held, and the command does not wait for its end.
  bool detach = false;
  /// It is not even started.
  bool no_start = false;
  connect_arguments connect;

  /// Where the payload's output goes: what was given, else standard output, unless the events have
  /// that for themselves; then nowhere.
  std::string output_path() const {
    if (!payload_output.empty())
      return payload_output;
    return events == "-" ? "" : "-";
  }
};

/// `crosvisor run`; `subject` is the configuration file.
struct run_arguments : run_options {};

/// `crosvisor run-app`; `subject` is the APK.
struct run_app_arguments : run_options {
  std::string idsig;
  std::string instance;
  /// The payload's configuration in the APK; empty where `payload_binary` is given.
  std::string config_path;
  std::string payload_binary;
  std::string os = "microdroid";
  debug_level debug = debug_level::none;
  /// Of an instance image that is missing and therefore made.
  std::uint64_t instance_bytes = 10 << 20;
  /// Empty: none.
  std::string storage;
  std::uint64_t storage_bytes = 10 << 20;
  std::vector<std::string> extra_apks;
  std::vector<std::string> extra_idsigs;
  bool allow_unsigned = false;
};

/// `crosvisor create-partition`.
struct create_partition_arguments {
  std::string path;
  partition_spec spec;
  connect_arguments connect;
};

/// `crosvisor create-idsig`.
struct create_idsig_arguments {
  std::string apk;
  std::string idsig;
  bool allow_unsigned = false;
  connect_arguments connect;
};

/// `crosvisor create-composite`.
struct create_composite_arguments {
  std::string path;
  std::vector<std::string> partitions; ///< As typed; see io/disk/composite_files.hpp.
};

/// How data is printed; `jsonl` is one JSON object a line.
enum class output_format : std::uint8_t { table, json, jsonl };

/// `crosvisor info`.
struct info_arguments {
  std::string vm;      ///< A CID or a name; empty: the host.
  bool limits = false; ///< The daemon's bounds instead.
  connect_arguments connect;
  output_format output = output_format::table;
};

/// `crosvisor inspect`.
struct inspect_arguments {
  std::string path;
  std::string apk; ///< What an idsig is held against; empty: nothing.
  output_format output = output_format::table;
};

/// `crosvisor logs` and `crosvisor console`.
struct logs_arguments {
  std::string vm; ///< A CID or a name.
  bool follow = false;
  log_kind log = log_kind::console;
  connect_arguments connect;
};

/// The commands that ask one thing of one VM.
enum class vm_verb : std::uint8_t { start, suspend, resume, hold, drop };

struct verb_arguments {
  vm_verb verb = vm_verb::start;
  std::string vm; ///< A CID or a name, as in all that follow.
  connect_arguments connect;
};

/// `crosvisor stop`.
struct stop_arguments {
  std::string vm;
  /// How long the guest may take to heed its power button; none: default_grace.
  std::optional<std::chrono::milliseconds> timeout;
  bool force = false;
  connect_arguments connect;
};

/// `crosvisor list`.
struct list_arguments {
  output_format output = output_format::table;
  connect_arguments connect;
};

/// `crosvisor watch`.
struct watch_arguments {
  std::string vm; ///< Empty: all.
  bool history = false;
  output_format output = output_format::table; ///< `table` or `jsonl`.
  connect_arguments connect;
};

/// `crosvisor connect`.
struct port_arguments {
  std::string vm;
  std::optional<std::uint32_t> port; ///< Always given.
  std::optional<std::chrono::milliseconds> timeout;
  connect_arguments connect;
};

/// `crosvisor balloon`.
struct balloon_arguments {
  std::string vm;
  std::optional<std::uint64_t> size_bytes; ///< None: it is shown.
  output_format output = output_format::table;
  connect_arguments connect;
};

/// `crosvisor pass`.
struct pass_arguments {
  std::string vm;
  connect_arguments connect;
};

/// `crosvisor take`.
struct take_arguments {
  ticket word;
  connect_arguments connect;
};

/// `crosvisor drain`.
struct drain_arguments {
  /// How long each guest may take to heed its power button; none: default_grace.
  std::optional<std::chrono::milliseconds> timeout;
  bool resume = false;
  connect_arguments connect;
};

/// `crosvisor image push`.
struct image_push_arguments {
  std::string path;
  std::string name; ///< Of the image; always given once the command line was read.
  connect_arguments connect;
};

/// `crosvisor image pull`.
struct image_pull_arguments {
  std::string name;
  std::string path; ///< `-` is standard output; always given as well.
  connect_arguments connect;
};

/// `crosvisor image list`.
struct image_list_arguments {
  output_format output = output_format::table;
  connect_arguments connect;
};

/// `crosvisor image remove`.
struct image_remove_arguments {
  std::vector<std::string> names;
  connect_arguments connect;
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
  std::variant<run_arguments, run_app_arguments, create_partition_arguments, create_idsig_arguments,
               create_composite_arguments, inspect_arguments, info_arguments, logs_arguments,
               verb_arguments, stop_arguments, list_arguments, watch_arguments, port_arguments,
               balloon_arguments, pass_arguments, take_arguments, drain_arguments,
               image_push_arguments, image_pull_arguments, image_list_arguments,
               image_remove_arguments, text_answer, usage_error>;

/// Reads the arguments that follow the program's name. Opens nothing.
command_line parse_arguments(const std::vector<std::string>& arguments);

} // namespace crosvisor::cli
