// SPDX-License-Identifier: Apache-2.0
// Reads which VMs start with the daemon.
#pragma once

#include "crosvisor/io/config/config_field.hpp"
#include "crosvisor/service/daemon/daemon_config.hpp"

#include <string>
#include <vector>

namespace crosvisor {

inline constexpr std::size_t max_autostart_vms = 256;

/// A list of objects, added to `target` with their paths as they are written.
io::check read_autostart(const io::json_value& value, const std::string& path,
                         std::vector<autostart_vm>& target);

} // namespace crosvisor
