// SPDX-License-Identifier: Apache-2.0
// What is kept of VMs' logs.
#pragma once

#include "crosvisor/io/log/kept_logs.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace crosvisor::cli {

using io::find_kept_vm;
using io::kept_vm;
using io::list_kept_vms;
using io::log_folder;

/// The last lines of a kept log, at most `count`, made fit for a terminal; none where there is no
/// such log. Looks at its last 8 KiB alone.
std::vector<std::string> last_lines(const std::string& folder, const std::string& log,
                                    std::size_t count);

} // namespace crosvisor::cli
