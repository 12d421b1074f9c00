// SPDX-License-Identifier: Apache-2.0
// The commands. Each does its work and returns the program's exit code.
#pragma once

#include "crosvisor/cli/arguments.hpp"

#include <string>
#include <vector>

namespace crosvisor::cli {

/// Runs a VM until its end.
int run(const run_arguments& arguments);

/// Makes what is missing of an app's files, and runs its VM until its end.
int run_app(const run_app_arguments& arguments);

/// Each makes one image, whole or not at all.
int create_partition(const create_partition_arguments& arguments);
int create_idsig(const create_idsig_arguments& arguments);
int create_composite(const create_composite_arguments& arguments);

/// Shows what a file is, and what is wrong with it.
int inspect(const inspect_arguments& arguments);

/// Shows what this host can do, what there is to know of a VM, or a daemon's bounds. Makes and
/// changes nothing.
int info(const info_arguments& arguments);

/// Shows a VM's kept log.
int logs(const logs_arguments& arguments);

/// Each asks a daemon one thing, and prints what it answers.
int do_verb(const verb_arguments& arguments);
int stop(const stop_arguments& arguments);
int list(const list_arguments& arguments);
int vm_info_of(const info_arguments& arguments);
int limits_of(const info_arguments& arguments);
int balloon(const balloon_arguments& arguments);
int pass(const pass_arguments& arguments);
int take(const take_arguments& arguments);
int drain(const drain_arguments& arguments);

/// What there is of stored images, each over its connection to a daemon.
int push_image(const image_push_arguments& arguments);
int pull_image(const image_pull_arguments& arguments);
int list_images(const image_list_arguments& arguments);
int remove_images(const image_remove_arguments& arguments);

/// Shows events until there are no more.
int watch(const watch_arguments& arguments);

/// Connects standard input and output with a guest's port.
int connect(const port_arguments& arguments);

/// The whole program; `arguments` follow its name.
int run_program(const std::vector<std::string>& arguments);

} // namespace crosvisor::cli
