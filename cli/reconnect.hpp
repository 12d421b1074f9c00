// SPDX-License-Identifier: Apache-2.0
// What is done about a service that was lost.
#pragma once

#include "crosvisor/service/connection.hpp"

#include <chrono>

namespace crosvisor::cli {

/// How long a service on another host is tried again.
inline constexpr std::chrono::seconds reconnect_bound{10};

/// Tries to connect again to a service on another host, until it is there or the bound is over.
/// One on this host that is lost has ended, and is not tried. Blocks.
bool reconnect(connection& service, std::chrono::milliseconds bound = reconnect_bound);

} // namespace crosvisor::cli
