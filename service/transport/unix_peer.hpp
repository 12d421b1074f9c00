// SPDX-License-Identifier: Apache-2.0
// What a Unix socket's peer may call itself.
#pragma once

#include "crosvisor/messages/caller.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::transport {

/// The process ids that a node id of this peer's may name: the one that the service knows it by,
/// and the one that it knows itself by, the last of NSpid in /proc/PID/status (proc(5)). None where
/// the kernel tells neither: it is in a pid namespace that ours does not hold. Any thread.
std::vector<std::uint32_t> process_ids_of(const caller& peer);

/// The last number of the line NSpid of such a file; nothing where there is none.
std::optional<std::uint32_t> innermost_process_id(const std::string& status);

} // namespace crosvisor::transport
