// SPDX-License-Identifier: Apache-2.0
// Each command's arguments, as CLI11 has them. The values go into structs that must live as long as
// the App.
#pragma once

#include "crosvisor/cli/arguments.hpp"

#include <CLI/CLI.hpp>

#include <initializer_list>
#include <optional>

namespace crosvisor::cli {

void add_arguments(CLI::App& app, run_arguments& target);
void add_arguments(CLI::App& app, run_app_arguments& target);
void add_arguments(CLI::App& app, create_partition_arguments& target);
void add_arguments(CLI::App& app, create_idsig_arguments& target);
void add_arguments(CLI::App& app, create_composite_arguments& target);
void add_arguments(CLI::App& app, inspect_arguments& target);
void add_arguments(CLI::App& app, info_arguments& target);
/// `command` is `logs`, or `console`, which has no choice of the log.
void add_logs(CLI::App& app, logs_arguments& target, const char* command);
void add_arguments(CLI::App& app, verb_arguments& target);
void add_arguments(CLI::App& app, stop_arguments& target);
void add_arguments(CLI::App& app, list_arguments& target);
void add_arguments(CLI::App& app, watch_arguments& target);
void add_arguments(CLI::App& app, port_arguments& target);
void add_arguments(CLI::App& app, balloon_arguments& target);
void add_arguments(CLI::App& app, pass_arguments& target);
void add_arguments(CLI::App& app, take_arguments& target);
void add_arguments(CLI::App& app, drain_arguments& target);
void add_arguments(CLI::App& app, image_push_arguments& target);
void add_arguments(CLI::App& app, image_pull_arguments& target);
void add_arguments(CLI::App& app, image_list_arguments& target);
void add_arguments(CLI::App& app, image_remove_arguments& target);

/// --connect, and what TLS needs.
void add_connect(CLI::App& app, connect_arguments& target);

/// --output, for a command that knows these formats.
void add_output_format(CLI::App& app, output_format& target,
                       std::initializer_list<output_format> known = {
                         output_format::table, output_format::json, output_format::jsonl});

/// What no single option can tell is wrong; nothing when all is well.
std::optional<usage_error> find_conflict(const run_options& options);
std::optional<usage_error> find_conflict(const run_app_arguments& arguments);

/// Names an image as the file is called, or the file as the image, where one of them was not given.
std::optional<usage_error> complete(image_push_arguments& arguments);
std::optional<usage_error> complete(image_pull_arguments& arguments);

} // namespace crosvisor::cli
