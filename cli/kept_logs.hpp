// SPDX-License-Identifier: Apache-2.0
// What is kept of VMs' logs by services in this user's processes.
#pragma once

#include "crosvisor/cli/log_showing.hpp"

#include <string>

namespace crosvisor::cli {

/// Reads the logs below a state directory, without a service.
log_source kept_logs(const std::string& state_dir);

} // namespace crosvisor::cli
