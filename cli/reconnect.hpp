// SPDX-License-Identifier: Apache-2.0
// What is done about a service that was lost.
#pragma once

#include "crosvisor/service/connection.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace crosvisor::cli {

/// How long a daemon that was lost is tried again: one that is restarted probes its host and takes
/// its VMs back meanwhile.
inline constexpr std::chrono::seconds reconnect_bound{30};

/// Tries to connect again to a daemon, until it is there or the bound is over. A service in this
/// process that is lost has ended, and is not tried. Blocks.
/// @param say is told, in sentences, that the daemon is away and that it is back; may be empty.
bool reconnect(connection& service, const std::function<void(const std::string&)>& say,
               std::chrono::milliseconds bound = reconnect_bound);

} // namespace crosvisor::cli
