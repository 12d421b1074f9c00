// SPDX-License-Identifier: Apache-2.0
// Each command's arguments, as CLI11 has them. The values go into structs that must live as long as
// the App.
#pragma once

#include "crosvisor/cli/arguments.hpp"

#include <CLI/CLI.hpp>

#include <optional>

namespace crosvisor::cli {

void add_run(CLI::App& app, run_arguments& target);
void add_run_app(CLI::App& app, run_app_arguments& target);
void add_create_partition(CLI::App& app, create_partition_arguments& target);
void add_create_idsig(CLI::App& app, create_idsig_arguments& target);
void add_create_composite(CLI::App& app, create_composite_arguments& target);
void add_inspect(CLI::App& app, inspect_arguments& target);
void add_output_format(CLI::App& app, output_format& target);

/// What no single option can tell is wrong; nothing when all is well.
std::optional<usage_error> find_conflict(const run_options& options);
std::optional<usage_error> find_conflict(const run_app_arguments& arguments);

} // namespace crosvisor::cli
