// SPDX-License-Identifier: Apache-2.0
// One VM run by a command: the service that does it, and the VM from its creation to its end.
#pragma once

#include "crosvisor/cli/prepared_run.hpp"
#include "crosvisor/service/embedded_service.hpp"

#include <memory>

namespace crosvisor::cli {

/// The service in this process, by what the environment says.
outcome<std::unique_ptr<embedded_service>> start_service();

/// Opens the VM's outputs, runs it to its end, tells of it, and shuts the service down.
/// @returns the program's exit code.
outcome<int> run_vm(const run_options& options, embedded_service& service, prepared_vm vm);

} // namespace crosvisor::cli
